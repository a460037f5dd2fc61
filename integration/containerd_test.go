package integration

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ociArchive is an OCI image archive of one layer.
func ociArchive(t *testing.T, name string, layer []byte, command ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	file := func(path string, data []byte) {
		must(t, w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(data))}))
		_, err := w.Write(data)
		must(t, err)
	}
	blob := func(media string, data []byte) map[string]any {
		sum := sha256.Sum256(data)
		file("blobs/sha256/"+hex.EncodeToString(sum[:]), data)
		return map[string]any{"mediaType": media, "digest": "sha256:" + hex.EncodeToString(sum[:]), "size": len(data)}
	}
	marshal := func(v any) []byte {
		data, err := json.Marshal(v)
		must(t, err)
		return data
	}
	l := blob("application/vnd.oci.image.layer.v1.tar", layer)
	config := blob("application/vnd.oci.image.config.v1+json", marshal(map[string]any{
		"architecture": "amd64", "os": "linux",
		"config": map[string]any{"Cmd": command, "Env": []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []any{l["digest"]}},
	}))
	manifest := blob("application/vnd.oci.image.manifest.v1+json", marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": []any{l},
	}))
	manifest["annotations"] = map[string]any{"io.containerd.image.name": name}
	manifest["platform"] = map[string]any{"architecture": "amd64", "os": "linux"}
	file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	file("index.json", marshal(map[string]any{"schemaVersion": 2, "manifests": []any{manifest}}))
	must(t, w.Close())
	return b.Bytes()
}

func importArchive(t *testing.T, ctr, socket, namespace, name string, archive []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	must(t, os.WriteFile(file, archive, 0o600))
	mustRun(t, ctr, "-a", socket, "-n", namespace, "images", "import", file)
	_ = name
}

// mustRunPlain starts a container beside hatchdog, and returns its id.
func mustRunPlain(t *testing.T, ctr, socket, image string) string {
	t.Helper()
	id := "plain" + filepath.Base(t.TempDir())
	mustRun(t, ctr, "-a", socket, "run", "-d", image, id, "sleep", "600")
	t.Cleanup(func() {
		run(t, ctr, "-a", socket, "task", "kill", "-s", "KILL", id)
		waitFor(t, id+" to stop", func() bool {
			_, code := run(t, ctr, "-a", socket, "task", "rm", id)
			return code == 0
		})
		mustRun(t, ctr, "-a", socket, "container", "rm", id)
	})
	return id
}

func TestContainerd(t *testing.T) {
	for name, program := range map[string]string{"Debian's": "containerd", "2.4": cached(t, "containerd-v*/containerd")} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(tested.dir, "containerd-"+strings.Trim(name, "'"))
			policy := policyFile(t, dir, "")
			ctr := "ctr"
			env := []string{"HATCHDOG_POLICY=" + policy}
			if filepath.IsAbs(program) {
				ctr = filepath.Join(filepath.Dir(program), "ctr")
				env = append(env, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
			}
			ns, err := netns()
			must(t, err)
			cmd := startContainerd(t, ns, program, dir, env...)
			t.Cleanup(func() { stop(cmd); killMatching(dir); unmountBelow(dir) })
			socket := dir + "/containerd.sock"
			const image = "docker.io/library/busybox:1"
			importArchive(t, ctr, socket, "default", image, ociArchive(t, image, busyboxTar(t), "sh"))
			start := func(args ...string) (string, int) {
				all := []string{"-a", socket, "run", "--runtime", "io.containerd.runc.v2", "--runc-binary", tested.hatchdog}
				return run(t, ctr, append(all, args...)...)
			}
			const look = "grep -E 'CapEff|NoNew' /proc/self/status"
			out, code := start("--rm", image, "c1", "sh", "-c", look)
			if code != 0 {
				t.Fatal(out)
			}
			wantLines(t, out, "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")

			out, code = start("--rm", "--net-host", image, "c2", "true")
			if code == 0 {
				t.Error("the host's network was given")
			}
			wantLines(t, out, "hatchdog: container c2", "linux.namespaces[network]", "namespaces.host")

			if out, code := start("-d", image, "c3", "sleep", "600"); code != 0 {
				t.Fatal(out)
			}
			out = mustRun(t, ctr, "-a", socket, "task", "exec", "--exec-id", "e1", "c3", "sh", "-c", look)
			wantLines(t, out, "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
			out = mustRun(t, tested.hatchctl, "--policy", policy, "explain", "c3")
			wantLines(t, out, "container   c3, of ctr", "builtin/restricted")
			beside := mustRunPlain(t, ctr, socket, image)
			out = mustRun(t, tested.hatchctl, "--policy", policy, "list")
			for _, want := range []string{`c3 +- +- +yes +live +builtin/restricted +ctr +runc`, beside + ` +- +- +NO +live +- +ctr +runc +- +/run/containerd/runc/default`} {
				if found := regexp.MustCompile("(?m)^"+want).FindAllString(out, -1); len(found) != 1 {
					t.Errorf("%q is listed %d times in\n%s", want, len(found), out)
				}
			}
			mustRun(t, ctr, "-a", socket, "task", "kill", "-s", "KILL", "c3")
			waitFor(t, "c3 to stop", func() bool {
				_, code := run(t, ctr, "-a", socket, "task", "rm", "c3")
				return code == 0
			})
			mustRun(t, ctr, "-a", socket, "container", "rm", "c3")
			if left, _ := filepath.Glob(dir + "/state/*/c*"); len(left) > 0 {
				for _, l := range left {
					if _, err := os.Stat(l + "/creator"); err == nil {
						t.Errorf("a record is left: %s", l)
					}
				}
			}
		})
	}
}

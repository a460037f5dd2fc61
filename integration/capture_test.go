package integration

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/capture"
)

// layered puts the root file system of a bundle below an overlay.
func layered(t *testing.T, m *made) (upper string) {
	t.Helper()
	root := m.bundle + "/rootfs"
	lower, upper, work := m.dir+"/lower", m.dir+"/upper", m.dir+"/work"
	must(t, os.Rename(root, lower))
	for _, d := range []string{root, upper, work} {
		must(t, os.Mkdir(d, 0o755))
	}
	mustRun(t, "mount", "-t", "overlay", "-o", "lowerdir="+lower+",upperdir="+upper+",workdir="+work, "overlay", root)
	t.Cleanup(func() { run(t, "umount", "-l", root) })
	return upper
}

// members reads an archive, and holds it against its manifest.
func members(t *testing.T, file string) (map[string]string, capture.Manifest) {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	all := map[string]string{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		data, err := io.ReadAll(r)
		must(t, err)
		all[h.Name] = string(data)
	}
	var m capture.Manifest
	must(t, json.Unmarshal([]byte(all["manifest.json"]), &m))
	for _, one := range m.Members {
		sum := sha256.Sum256([]byte(all[one.Name]))
		if one.SHA256 != hex.EncodeToString(sum[:]) || one.Size != len(all[one.Name]) || one.Cut != 0 {
			t.Errorf("%+v: %d bytes, %x", one, len(all[one.Name]), sum)
		}
	}
	if len(all) != len(m.Members)+1 {
		t.Errorf("%d members, %d in the manifest", len(all), len(m.Members))
	}
	return all, m
}

// What a hostile container does and holds is all there, within bounds, and nothing
// that it has no right to hand out.
func TestCapture(t *testing.T) {
	b := box{
		name: "captured", policy: "profile: restricted\n",
		files: func(t *testing.T, root, _ string) {
			put(t, root+"/etc/taken-away", "x", 0o644, 0)
		},
		edit: func(_ *testing.T, s *specs.Spec, _ string) {
			s.Process.Env = append(s.Process.Env, "PASSWORD=hunter-two-sesame")
			s.Process.Args = []string{"/bin/sh", "-c", strings.Join([]string{
				"/bin/busybox rm /etc/taken-away",
				`/bin/busybox cp /bin/busybox "$(printf '/bin/busybox-evil\033[31m\nx')"`,
				`"$(printf '/bin/busybox-evil\033[31m\nx')" sleep 600 &`,
				"/bin/busybox ln -s /etc/shadow /link-out", "/bin/busybox ln -s ../../../../../../../../etc /dir-out",
				"/bin/busybox mkfifo /pipe", "echo dropped >/tool; chmod 755 /tool",
				"d=/deep; i=0; while [ $i -lt 140 ]; do d=$d/d; i=$((i+1)); done; mkdir -p $d",
				"i=0; while [ $i -lt 60 ]; do sleep 600 & i=$((i+1)); done",
				"busybox httpd -p 8080; echo ready >/ready; while :; do sleep 600; done",
			}, "\n")}
		},
	}
	m := b.make(t)
	layered(t, m)
	t.Cleanup(func() { m.ctl(t, "thaw", m.name); m.stop(t) })
	m.start(t)
	waitFor(t, "the container", func() bool { _, code := m.exec(t, "test -e /ready"); return code == 0 })
	for _, how := range [][]string{{}, {"--freeze"}} {
		file := m.dir + "/capture" + strings.Join(how, "") + ".tar"
		out := m.mustCtl(t, append([]string{"capture", "--output", file, m.name}, how...)...)
		sum := sha256.Sum256([]byte(read(t, file)))
		wantLines(t, out, hex.EncodeToString(sum[:]))
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || info.Size() > 8<<20 {
			t.Errorf("%v %v", info, err)
		}
		all, manifest := members(t, file)
		if manifest.Frozen != (len(how) > 0) {
			t.Errorf("%v: frozen %v", how, manifest.Frozen)
		}
		wantCaptured(t, all)
		if _, code := m.exec(t, "true"); code != 0 {
			t.Errorf("%v: it does not go on", how)
		}
		if out, code := m.ctl(t, "capture", "--output", file, m.name); code != 3 || !strings.Contains(out, "exists") {
			t.Errorf("a file is overwritten: exit code %d\n%s", code, out)
		}
	}
}

func wantCaptured(t *testing.T, all map[string]string) {
	t.Helper()
	for name, text := range all {
		if strings.Contains(text, "hunter-two-sesame") || strings.Contains(text, "\x1b") {
			t.Errorf("%s has a value of the environment, or an escape", name)
		}
	}
	var processes []capture.Process
	must(t, json.Unmarshal([]byte(all["processes.json"]), &processes))
	if len(processes) < 60 {
		t.Errorf("%d processes", len(processes))
	}
	evil := false
	for _, p := range processes {
		evil = evil || strings.HasPrefix(p.Executable, "/bin/busybox-evil") && len(p.Environment) > 0 && p.Parent != 0
		if p.Outside || len(p.Files) == 0 || len(p.Maps) == 0 {
			t.Errorf("%+v", p)
		}
	}
	if !evil || !strings.Contains(all["processes.json"], `"PASSWORD"`) {
		t.Errorf("the process that hides is not told, or the name of a variable")
	}
	var layer capture.Layer
	must(t, json.Unmarshal([]byte(all["writable-layer.json"]), &layer))
	kinds := map[string]capture.Entry{}
	for _, e := range layer.Entries {
		kinds[e.Path] = e
	}
	for path, kind := range map[string]string{"/etc/taken-away": "deleted", "/link-out": "link", "/dir-out": "link", "/pipe": "pipe", "/tool": "file", "/deep": "directory"} {
		if kinds[path].Kind != kind {
			t.Errorf("%s: %+v, want %s", path, kinds[path], kind)
		}
	}
	dropped := sha256.Sum256([]byte("dropped\n"))
	if kinds["/tool"].SHA256 != hex.EncodeToString(dropped[:]) || kinds["/link-out"].Link != "/etc/shadow" || kinds["/link-out"].SHA256 != "" {
		t.Errorf("%+v %+v", kinds["/tool"], kinds["/link-out"])
	}
	if !strings.Contains(strings.Join(layer.Lacks, "\n"), "too deep") {
		t.Errorf("%v", layer.Lacks)
	}
	for name, want := range map[string]string{"sockets.json": ":1F90", "audit.json": `"captured"`, "audit-chain.json": `"`, "record.json": `"ceiling"`, "counted.json": "PidsNow"} {
		if !strings.Contains(all[name], want) {
			t.Errorf("%s has no %q:\n%.500s", name, want, all[name])
		}
	}
}

package integration

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// start starts the dockerd, once for all tests.
func (d *docker) start(t *testing.T) *docker {
	t.Helper()
	d.once.Do(func() {
		d.dir = filepath.Join(tested.dir, "docker-"+d.name)
		ns, err := netnsOf(d.network)
		must(t, err)
		d.ns, d.cli = ns, d.program(t, d.client)
		policyFile(t, d.dir, "unrecorded: refuse\n")
		removeLater("/etc/docker/key.json") // dockerd 20.10 makes one wherever its data is
		d.config(t)
		d.below = startContainerd(t, d.ns, d.program(t, d.containerd), d.dir+"/containerd", d.env(t)...)
		d.up(t)
		atEnd(func() { d.end() })
		d.importImage(t, "busybox", busyboxTar(t))
		d.ready = true
	})
	if !d.ready {
		t.Fatalf("Docker %s did not start", d.name)
	}
	return d
}

func (d *docker) config(t *testing.T) {
	t.Helper()
	config, err := json.Marshal(map[string]any{
		"runtimes":       map[string]any{"hatchdog": map[string]any{"path": tested.hatchdog}},
		"data-root":      d.dir + "/data",
		"exec-root":      d.dir + "/exec",
		"containerd":     d.dir + "/containerd/containerd.sock",
		"pidfile":        d.dir + "/docker.pid",
		"hosts":          []string{"unix://" + d.dir + "/docker.sock"},
		"live-restore":   true,
		"userland-proxy": false, // each release wants a program of its own
	})
	must(t, err)
	must(t, os.WriteFile(d.dir+"/daemon.json", config, 0o600))
}

// up starts dockerd, the first time and again.
func (d *docker) up(t *testing.T) {
	t.Helper()
	d.cmd = daemonIn(t, d.ns, d.dir+"/dockerd.log", append(d.env(t), d.more...), d.program(t, d.dockerd), "--config-file", d.dir+"/daemon.json")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := run(t, "tail", "-n", "30", d.dir+"/dockerd.log")
			t.Log(log)
		}
	})
	waitFor(t, "dockerd", func() bool {
		_, code := d.try(t, "version")
		return code == 0
	})
}

func (d *docker) end() {
	if ids, err := d.command("ps", "-aq").Output(); err == nil && len(ids) > 0 {
		_ = d.command(append([]string{"rm", "-f"}, strings.Fields(string(ids))...)...).Run()
	}
	stop(d.cmd)
	stop(d.below)
	killMatching(d.dir)
	ids, _ := filepath.Glob(d.dir + "/data/containers/*")
	for _, id := range ids { // of containers that outlived their dockerd
		removeGroups("/sys/fs/cgroup/*/docker/" + filepath.Base(id))
	}
	removeGroups("/sys/fs/cgroup/*/docker/buildkit")
	unmountBelow(d.dir)
}

// command is a call of this Docker's client.
func (d *docker) command(args ...string) *exec.Cmd {
	return exec.Command(d.cli, append([]string{"-H", "unix://" + d.dir + "/docker.sock"}, args...)...)
}

// try runs a docker command.
func (d *docker) try(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, d.cli, append([]string{"-H", "unix://" + d.dir + "/docker.sock"}, args...)...)
}

// do runs a docker command that must succeed.
func (d *docker) do(t *testing.T, args ...string) string {
	t.Helper()
	out, code := d.try(t, args...)
	if code != 0 {
		t.Fatalf("docker %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// run runs a container under hatchdog to its end.
func (d *docker) run(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return d.try(t, append([]string{"run", "--rm", "--runtime=hatchdog"}, args...)...)
}

// background starts a container under hatchdog that is removed with the test.
func (d *docker) background(t *testing.T, args ...string) string {
	t.Helper()
	id := strings.TrimSpace(d.do(t, append([]string{"run", "-d", "--runtime=hatchdog"}, args...)...))
	id = id[strings.LastIndexByte(id, '\n')+1:]
	t.Cleanup(func() { d.try(t, "rm", "-f", "-v", id) })
	return id
}

func (d *docker) importImage(t *testing.T, name string, archive []byte) {
	t.Helper()
	cmd := d.command("import", "-", name)
	cmd.Stdin = bytes.NewReader(archive)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v: %s", err, out)
	}
}

// hatchctl runs it with the daemon's policy.
func (d *docker) hatchctl(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, tested.hatchctl, append([]string{"--policy", d.dir + "/policy.yaml"}, args...)...)
}

// busyboxTar is a root file system of busybox, with a setuid program.
func busyboxTar(t *testing.T) []byte {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	must(t, err)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	file := func(name string, mode int64, data []byte) {
		must(t, w.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(data))}))
		_, err := w.Write(data)
		must(t, err)
	}
	for _, dir := range []string{"bin/", "suid/", "etc/", "proc/", "sys/", "dev/", "root/"} {
		must(t, w.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}))
	}
	must(t, w.WriteHeader(&tar.Header{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}))
	file("bin/busybox", 0o755, busybox)
	curious, err := os.ReadFile(filepath.Join(tested.dir, "bin", "curious"))
	must(t, err)
	file("suid/curious", 0o4755, curious)
	reach, err := os.ReadFile(filepath.Join(tested.dir, "bin", "reach"))
	must(t, err)
	file("bin/reach", 0o755, reach)
	file("etc/passwd", 0o644, []byte("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"))
	file("etc/group", 0o644, []byte("root:x:0:\nuser:x:1000:\n"))
	for _, applet := range strings.Fields(mustRun(t, "/bin/busybox", "--list")) {
		if applet != "busybox" {
			must(t, w.WriteHeader(&tar.Header{Name: "bin/" + applet, Typeflag: tar.TypeSymlink, Linkname: "busybox"}))
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

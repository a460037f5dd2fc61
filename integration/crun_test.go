package integration

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// crunVersion is the host's crun as a policy names it.
func crunVersion(t *testing.T) string {
	t.Helper()
	// "crun version 1.8.1", and more lines.
	f := strings.Fields(mustRun(t, "crun", "--version"))
	if len(f) < 3 {
		t.Fatalf("crun --version: %q", f)
	}
	return f[0] + " " + f[2]
}

func TestCrunWithAKnownEscape(t *testing.T) {
	require(t, "cgroup2", "crun")
	if crunVersion(t) != "crun 1.8.1" {
		t.Skipf("made for the crun of Debian 12, this is %s", crunVersion(t))
	}
	d := newReal(t, "{path: /usr/bin/crun}", "")
	out, code := d.create(t)
	if code == 0 {
		t.Error("created")
	}
	wantLines(t, out, "CVE-2025-24965", `accept: [{version: "crun 1.8.1", because: WHY, open: [CVE-2025-24965]}]`)
}

func TestCrunAsTheDelegate(t *testing.T) {
	require(t, "cgroup2", "crun")
	d := newReal(t, "{path: /usr/bin/crun, "+accepts(crunVersion(t))+"}", small)
	// It reads no spec newer than its own.
	editDocument(t, d.bundle, func(s spec) { s["ociVersion"] = "1.0.2" })
	dir := d.createWith(t, map[string]string{"pids.max": "max"})
	wantFiles(t, dir, map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "20", "cpu.max": "50000 100000"})
	for _, args := range [][]string{{"start", "c1"}, {"exec", "c1", "grep", "-q", "CapEff:.*" + restrictedCaps, "/proc/self/status"}, {"kill", "c1", "KILL"}} {
		if out, code := d.call(t, nil, args...); code != 0 {
			t.Errorf("%v: exit code %d\n%s", args, code, out)
		}
	}
}

func TestCrunUnderDocker(t *testing.T) {
	require(t, "cgroup2", "crun")
	eachDocker(t, crunUnderDocker)
}

func crunUnderDocker(t *testing.T, d *docker) {
	d.withPolicy(t, "{path: /usr/bin/crun, "+accepts(crunVersion(t))+"}", small)
	id := d.background(t, "--net=none", "busybox", "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	wantFiles(t, group(t, id), map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "20", "cpu.max": "50000 100000"})
	look := []string{"grep", "-E", "CapEff|NoNew", "/proc/self/status"}
	wantLines(t, d.do(t, append([]string{"exec", "--privileged", id}, look...)...), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	d.do(t, "stop", "-t", "120", id)
	wantLines(t, d.do(t, "inspect", "-f", "{{.State.ExitCode}}", id), "3")
	out, code := d.hatchctl(t, "explain", id)
	if code != 0 {
		t.Error(out)
	}
	wantLines(t, out, crunVersion(t))
}

// callPiped runs a command whose streams are pipes, and returns what it said by
// the time that it ended. A container that lives keeps its end open.
func (d *direct) callPiped(t *testing.T, cmd *exec.Cmd) (string, int) {
	t.Helper()
	in, out, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { _ = in.Close() })
	cmd.Stdout, cmd.Stderr = out, out
	said := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := in.Read(buf)
			all.Write(buf[:n])
			if text, _, ended := strings.Cut(all.String(), "\x00"); ended || err != nil {
				said <- text
				return
			}
		}
	}()
	_ = cmd.Run()
	_, _ = out.WriteString("\x00")
	_ = out.Close()
	return <-said, cmd.ProcessState.ExitCode()
}

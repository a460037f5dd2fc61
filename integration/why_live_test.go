package integration

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/why"
)

// liveBox has some of each kind of cause.
func liveBox() box {
	return box{
		name: "live", policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, seccomp: {log: true}}\n",
		files: func(t *testing.T, root, vol string) {
			put(t, root+"/secret", "x", 0o600, 5)
			put(t, vol+"/file", "x", 0o666, 0)
			put(t, root+"/data/x", "x", 0o666, 0)
		},
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Mounts = append(s.Mounts, bind(vol, "/vol", "ro"))
		},
	}
}

// watched runs a shell command in the container while why watches it.
func (m *made) watched(t *testing.T, before []string, command string) (found []why.Finding, out string) {
	t.Helper()
	args := append(before, tested.hatchctl, "why", "--json", m.name, "--", tested.hatchdog, "--root", m.dir+"/root", "exec", m.name, "/bin/sh", "-c", command)
	cmd := exec.Command("env", append([]string{"HATCHDOG_POLICY=" + m.dir + "/policy.yaml"}, args...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	raw, _ := cmd.Output()
	var got struct{ Findings []why.Finding }
	if cmd.ProcessState.ExitCode() > 2 || json.Unmarshal(raw, &got) != nil {
		t.Fatalf("exit code %d\n%s\n%s", cmd.ProcessState.ExitCode(), raw, errs.String())
	}
	return got.Findings, errs.String()
}

func TestWhyWatches(t *testing.T) {
	m := liveBox().make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	for _, c := range []struct {
		command, what string
		want          why.Verdict
		layer, says   string
	}{
		{"chroot / true", "chroot", why.Hatchdog, "", "seccomp.table"},
		{"mount -t tmpfs x /data", "call mount:", why.Other, why.LayerRequest, "CAP_SYS_ADMIN"},
		{"cat /nothing/here", "/nothing/here: ENOENT", why.Other, why.LayerMissing, "/nothing is not there"},
		{"echo x >/vol/file", "/vol/file: EROFS", why.Other, why.LayerReadOnly, ""},
		{"nc -w1 127.0.0.1 81 </dev/null", "127.0.0.1:81: ECONNREFUSED", why.Other, why.LayerPort, ""},
		{"mknod /data/n c 1 3", "mknodat /data/n: EPERM", why.Hatchdog, "", "capabilities.max"},
		{"busybox nc -l -p 80", "bind", why.Hatchdog, "", "CAP_NET_BIND_SERVICE"},
		{"mkdir /proc/x", "/proc/x: ENOENT", why.Undetermined, "", "the kernel answered"},
	} {
		found, out := m.watched(t, nil, c.command)
		var got *why.Finding
		for i := range found {
			if strings.Contains(found[i].What, c.what) {
				got = &found[i]
			}
		}
		if got == nil {
			t.Errorf("%s: nothing of %q in %+v\n%s", c.command, c.what, found, out)
			continue
		}
		said := strings.Join(append(got.Evidence, got.Why, got.Policy), "\n")
		if got.Verdict != c.want || got.Layer != c.layer || !strings.Contains(said, c.says) || !strings.Contains(said, "seen ") {
			t.Errorf("%s: %s %q, want %s %q and %q in\n%s", c.command, got.Verdict, got.Layer, c.want, c.layer, c.says, said)
		}
	}
}

// A connection that the rules reset is told from one that the other end refuses.
func TestWhyWatchesResets(t *testing.T) {
	m := wiredBox().make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	for to, want := range map[string]why.Verdict{metadataAddr + ":80": why.Hatchdog, outsideAddr + ":81": why.Other} {
		found, out := m.watched(t, nil, "nc -w1 "+strings.Replace(to, ":", " ", 1)+" </dev/null")
		i := slices.IndexFunc(found, func(f why.Finding) bool { return strings.Contains(f.What, to) })
		if i < 0 || found[i].Verdict != want {
			t.Errorf("%s: %+v\n%s", to, found, out)
		}
	}
}

// Another container's failures, and the host's, are not told.
func TestWhyWatchesOneContainer(t *testing.T) {
	m := liveBox().make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	b := liveBox()
	b.name = "beside"
	beside := b.make(t)
	t.Cleanup(func() { beside.stop(t) })
	beside.start(t)
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 5 {
			_ = exec.Command("cat", "/of/the/host").Run()
			_ = exec.Command("env", "HATCHDOG_POLICY="+beside.dir+"/policy.yaml", tested.hatchdog, "--root", beside.dir+"/root", "exec", "beside", "cat", "/of/the/other").Run()
		}
	}()
	found, _ := m.watched(t, nil, "for i in 1 2 3 4 5 6 7 8; do cat /of/its/own; sleep 0.1; done")
	<-done
	own := false
	for _, f := range found {
		own = own || strings.Contains(f.What, "/of/its/own")
		if strings.Contains(f.What, "/of/the") {
			t.Errorf("%+v", f)
		}
	}
	if !own {
		t.Errorf("its own is not told: %+v", found)
	}
}

// What a process calls itself, and the paths that it asks for, reach no terminal
// as they are; and a flood is counted.
func TestWhyWatchesAHostileProcess(t *testing.T) {
	m := liveBox().make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	const script = `p=$(printf '/x\033[31m\nverdict  hatchdog'); busybox cp /bin/busybox "$(printf '/bin/busybox\033[1m\n')"; "$(printf '/bin/busybox\033[1m\n')" cat "$p"; cat "$p"; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); [ -e "/no/$i" ]; done; true`
	cmd := exec.Command("env", "HATCHDOG_POLICY="+m.dir+"/policy.yaml", tested.hatchctl, "why", m.name, "--", tested.hatchdog, "--root", m.dir+"/root", "exec", m.name, "/bin/sh", "-c", script)
	out, _ := cmd.Output()
	_, told, _ := strings.Cut(string(out), "live (")
	if strings.Contains(told, "\x1b") || strings.Contains(told, "\nverdict  hatchdog") || !strings.Contains(told, `/x\u001b[31m`) {
		t.Errorf("%q", told)
	}
	if !strings.Contains(told, "ways to fail were seen; 40 are told") || len(told) > 64<<10 {
		t.Errorf("%d bytes\n%.2000s", len(told), told)
	}
}

// Without BPF the kernel's audit is listened to.
func TestWhyListensWithoutBPF(t *testing.T) {
	m := liveBox().make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	less := []string{"setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin"}
	if out, code := run(t, "setpriv", append(less[1:], "true")...); code != 0 {
		t.Fatalf("setpriv: %s", out)
	}
	// exec is done outside: it needs what is missing here.
	fifo := filepath.Join(m.dir, "go")
	mustRun(t, "mkfifo", fifo)
	args := append(less, tested.hatchctl, "why", m.name, "--", "/bin/sh", "-c", "echo x >"+fifo+"; sleep 1")
	cmd := exec.Command("env", append([]string{"HATCHDOG_POLICY=" + m.dir + "/policy.yaml"}, args...)...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	mustRun(t, "cat", fifo)
	m.exec(t, "chroot / true")
	_ = cmd.Wait()
	wantLines(t, out.String(), "system calls are not watched", "the kernel's audit is listened to instead", "the call chroot", "hatchdog")
}

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// wide leaves it to the kernel's guard to deny what the tests try.
const wide = `
profile: wide
profiles:
  wide:
    extends: builtin/baseline
    because: a test
    userns: {mode: off}
    capabilities: {max: [SYS_ADMIN, SYS_PTRACE, SYS_MODULE, CHOWN, KILL, DAC_OVERRIDE]}
    seccomp: {allow: [mount, umount2, fsopen, fsconfig, fsmount, fspick, mount_setattr, bpf, ptrace, init_module, finit_module, memfd_create, execveat]}
    apparmor: {require: never}
`

// guarded loads the kernel's guard, and unloads it at the end.
func guarded(t *testing.T) {
	t.Helper()
	require(t, "bpflsm")
	var fs unix.Statfs_t
	if must(t, unix.Statfs("/sys/fs/bpf", &fs)); fs.Type != unix.BPF_FS_MAGIC {
		must(t, unix.Mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
		t.Cleanup(func() { must(t, unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH)) })
	}
	t.Cleanup(func() { mustRun(t, tested.hatchctl, "guard", "unload", "--force") })
	mustRun(t, tested.hatchctl, "guard", "load")
}

func TestPrevent(t *testing.T) {
	require(t, "bpflsm")
	eachDocker(t, prevented)
}

func prevented(t *testing.T, d *docker) {
	asked := []string{
		"--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--cap-add", "SYS_MODULE", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"-v", "/data", "--tmpfs", "/dev/shm:exec",
	}
	// Without: each is done, or the kernel complains about what it was given.
	d.setPolicy(t, wide)
	with := d.background(t, "-v", filepath.Join(tested.dir, "bin", "prevented")+":/mounted:ro", "busybox", "sh", "-c", "cp /mounted /h; chmod 755 /h; sleep 600")
	waitFor(t, "the program in the image", func() bool { out, code := d.try(t, "exec", with, "/h", "none"); return code == 0 && out == "" })
	d.do(t, "commit", with, "prevented")
	neighbour := d.background(t, "busybox", "sleep", "600")
	try := func() map[string]string {
		out, code := d.run(t, append(asked, "--pid", "container:"+neighbour, "prevented", "/h", "1")...)
		if code != 0 {
			t.Fatalf("%d: %s", code, out)
		}
		said := map[string]string{}
		for line := range strings.Lines(out) {
			name, what, _ := strings.Cut(strings.TrimSpace(line), " ")
			said[name] = what
		}
		return said
	}
	open := try()
	t.Log(open)
	guarded(t)
	d.setPolicy(t, wide+"    prevent: {deny: [drift, mounts, bpf, modules, ptrace], require: always}\n")
	held := try()
	t.Log(held)
	for name, was := range open {
		want := "EPERM"
		if name == "image" || name == "anonymous" || name == "child" {
			want = "done"
		}
		if was == "EPERM" || held[name] != want {
			t.Errorf("%s: %s without the guard, %s with it", name, was, held[name])
		}
	}
	if len(open) != len(held) || len(open) < 18 {
		t.Errorf("%d were tried", len(open))
	}
	preventedLife(t, d)
}

// preventedLife is what a container that is held does all the same.
func preventedLife(t *testing.T, d *docker) {
	id := d.background(t, "--init", "busybox", "sh", "-c", "cp /bin/busybox /tmp/x; echo up; exec sleep 600")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	wantLines(t, d.do(t, "exec", id, "echo", "IN"), "IN")
	if out, code := d.try(t, "exec", id, "/tmp/x", "true"); code == 0 {
		t.Errorf("what was copied ran: %s", out)
	}
	wantLines(t, mustRun(t, tested.hatchctl, "guard", "status"), "it holds 1 containers")
	mustRun(t, tested.hatchctl, "guard", "load") // in the place of what is there
	if out, code := d.try(t, "exec", id, "/tmp/x", "true"); code == 0 {
		t.Errorf("what was copied ran: %s", out)
	}
	if out, err := exec.Command(tested.hatchctl, "guard", "unload").CombinedOutput(); err == nil || !strings.Contains(string(out), "it holds 1 containers") {
		t.Errorf("unload: %v %s", err, out)
	}
	d.do(t, "restart", "-t", "0", id)
	wantLines(t, mustRun(t, tested.hatchctl, "guard", "status"), "it holds 1 containers")
	d.do(t, "rm", "-f", id)
	preventedVolume(t, d)
	preventedCover(t, d)
	waitFor(t, "the container's entry to go", func() bool {
		out, _ := exec.Command(tested.hatchctl, "guard", "status").Output()
		return strings.Contains(string(out), "it holds 0 containers")
	})
	// The host, and containers whose policy denies nothing, are let be.
	mine := t.TempDir() + "/true"
	mustRun(t, "cp", "/bin/true", mine)
	mustRun(t, mine)
	mustRun(t, tested.hatchctl, "guard", "unload")
	out, code := d.run(t, "busybox", "true")
	if code == 0 {
		t.Error("it started without the guard")
	}
	wantLines(t, out, "the kernel's guard is not loaded", "prevent.require")
	d.setPolicy(t, wide+"    prevent: {deny: [drift], require: ifAvailable}\n")
	id = d.background(t, "busybox", "sleep", "600")
	said, _ := d.hatchctl(t, "explain", "--wide", id[:12])
	wantLines(t, said, "drift is denied by hatchctl watch, a process, and only while that runs, which it does not do now")
}

// preventedVolume: of a volume that the container cannot write it runs what was there
// when it started, and not what another container puts there meanwhile.
func preventedVolume(t *testing.T, d *docker) {
	shared, err := os.MkdirTemp("/var/tmp", "") // on a disk, in the virtual machine too
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(shared)) })
	must(t, os.Chmod(shared, 0o755)) //nolint:gosec // containers read it
	for _, name := range []string{"before", "changed"} {
		mustRun(t, "cp", filepath.Join(tested.dir, "bin", "prevented"), filepath.Join(shared, name))
	}
	id := d.background(t, "-v", shared+":/shared:ro", "busybox", "sleep", "600")
	ran := func(name string) bool {
		out, code := d.try(t, "exec", id, "/shared/"+name, "none")
		if code != 0 && !strings.Contains(out, "not permitted") {
			t.Errorf("%s: %s", name, out)
		}
		return code == 0
	}
	if !ran("before") || !ran("changed") {
		t.Error("what was on the volume before it started does not run")
	}
	d.run(t, "-v", shared+":/w", "busybox", "sh", "-c", "cp /w/before /w/after; chmod 700 /w/changed; chmod 755 /w/changed /w/after")
	if !ran("before") || ran("after") || ran("changed") {
		t.Errorf("it runs what was there before: %v; what came: %v; what was changed: %v", ran("before"), ran("after"), ran("changed"))
	}
	d.do(t, "rm", "-f", id)
}

// preventedCover: an overlay that the container mounts is not the image.
func preventedCover(t *testing.T, d *docker) {
	d.setPolicy(t, wide+"    prevent: {deny: [drift], require: always}\n")
	defer d.setPolicy(t, wide+"    prevent: {deny: [drift, mounts, bpf, modules, ptrace], require: always}\n")
	out, code := d.run(t, "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--tmpfs", "/low", "busybox", "sh", "-c",
		"mkdir -p /mnt /low/a /low/b && cp /bin/busybox /low/a/mine && mount -t overlay -o lowerdir=/low/a:/low/b none /mnt && echo MOUNTED && /mnt/mine true")
	if code == 0 || !strings.Contains(out, "MOUNTED") || !strings.Contains(out, "not permitted") {
		t.Errorf("%d %s", code, out)
	}
}

// A container's first process may be gone, and its pid another's, by the time that
// start looks: the guard is asked for the right one or nothing starts.
func TestPreventRefusals(t *testing.T) {
	guarded(t)
	d := newPinned(t, "")
	d.setPolicy(t, wide+"    prevent: {deny: [drift], require: always}\n")
	out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
	if code == 0 {
		t.Error("run went through")
	}
	wantLines(t, out, "use create and start")
	must(t, os.Remove("/sys/fs/bpf/hatchdog/v2/links/bprm_check_security"))
	out, code = d.call(t, nil, "create", "--bundle", d.bundle, "c2")
	if code == 0 {
		t.Error("create went through without a program")
	}
	wantLines(t, out, "bprm_check_security is not there")
}

// In a user namespace the container's root is an overlay of hatchdog's own.
func TestUserNSPrevented(t *testing.T) {
	require(t, "bpflsm")
	d := dockers[0].start(t)
	guarded(t)
	d.setPolicy(t, "profile: held\nprofiles:\n  held: {extends: builtin/restricted, userns: {mode: required}, prevent: {deny: [drift], require: always}}\n")
	id := d.background(t, "busybox", "sh", "-c", "cp /bin/busybox /bin/copied; echo up; exec sleep 600")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	wantLines(t, d.do(t, "exec", id, "cat", "/proc/self/uid_map"), " 65536")
	if out, code := d.try(t, "exec", id, "copied", "true"); code == 0 {
		t.Errorf("what was copied ran: %s", out)
	}
	if out, code := d.try(t, "exec", id, "sh", "-c", "chmod 755 /bin/busybox; busybox true"); code == 0 {
		t.Errorf("a program of the image ran after it was changed: %s", out)
	}
}

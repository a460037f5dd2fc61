package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// newestCrun is hatchdog with the newest crun of Debian below it. crun starts no
// container where control groups of both versions are mounted, as on many hosts of
// tests: hatchdog is called where only those of version 1 are seen.
func newestCrun(t *testing.T, extra string) (d *direct, plain []string) {
	t.Helper()
	crun := cached(t, "newest-crun-*/crun")
	d = newReal(t, "{path: "+crun+"}", extra)
	for _, dir := range []string{filepath.Dir(d.dir), d.bundle} { // a user namespace's root passes through
		must(t, os.Chmod(dir, 0o755))
	}
	if !hybrid() {
		return d, []string{crun}
	}
	holder := exec.Command("unshare", "--mount", "sh", "-c", "umount /sys/fs/cgroup/unified && touch "+d.dir+"/apart && exec sleep 3600")
	must(t, holder.Start())
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	waitFor(t, "the mount namespace", func() bool { _, err := os.Stat(d.dir + "/apart"); return err == nil })
	enter := fmt.Sprintf("nsenter --mount=/proc/%d/ns/mnt -- ", holder.Process.Pid)
	d.bin = d.dir + "/hatchdog"
	must(t, os.WriteFile(d.bin, []byte("#!/bin/sh\nexec "+enter+tested.hatchdog+" \"$@\"\n"), 0o755))
	t.Cleanup(func() { d.call(t, nil, "delete", "--force", "c1") })
	return d, append(strings.Fields(enter), crun)
}

func hybrid() bool {
	_, err := os.Stat("/sys/fs/cgroup/unified/cgroup.procs")
	return err == nil
}

func TestNewestCrunAsTheDelegate(t *testing.T) {
	d, _ := newestCrun(t, "")
	d.edit(t, func(s *specs.Spec) {
		limit := int64(64 << 20)
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
	})
	for _, args := range [][]string{
		{"create", "--bundle", d.bundle, "c1"},
		{"start", "c1"},
		{"exec", "c1", "grep", "-q", "CapEff:.*" + restrictedCaps, "/proc/self/status"},
		{"exec", "c1", "grep", "-q", "NoNewPrivs:.*1", "/proc/self/status"},
		{"exec", "c1", "grep", "-q", "Seccomp:.*2", "/proc/self/status"},
		{"exec", "c1", "grep", "-Eq", "^ +0 +[1-9][0-9]+ +65536$", "/proc/1/uid_map"},
		{"update", "--memory", "33554432", "c1"},
		{"pause", "c1"},
		{"resume", "c1"},
		{"state", "c1"},
		{"kill", "c1", "KILL"},
	} {
		if out, code := d.call(t, nil, args...); code != 0 {
			t.Errorf("%v: exit code %d\n%s", args, code, out)
		}
	}
	if out, code := d.call(t, nil, "exec", "--cap", "CAP_SYS_ADMIN", "c1", "true"); code == 0 {
		t.Errorf("exec in a container that ended: %s", out)
	}
	if out, code := d.call(t, nil, "delete", "--force", "c1"); code != 0 {
		t.Error(out)
	}
}

// What crun alone acts on in an annotation it never sees.
func TestNewestCrunsOwnAnnotations(t *testing.T) {
	d, plain := newestCrun(t, "")
	d.edit(t, func(s *specs.Spec) { s.Annotations = map[string]string{"run.oci.pidfd_receiver": d.dir + "/nobody"} })
	out, code := run(t, plain[0], append(plain[1:], "--root", d.dir+"/plain", "run", "--bundle", d.bundle, "plain")...)
	if code == 0 || !strings.Contains(out, d.dir+"/nobody") {
		t.Errorf("crun by itself does not act on it: %d %s", code, out)
	}
	if out, code := d.call(t, nil, "create", "--bundle", d.bundle, "c1"); code != 0 {
		t.Fatal(out)
	}
	wantLines(t, mustRun(t, tested.hatchctl, "--policy", d.policy, "explain", "c1"), "annotations[run.oci.pidfd_recei")
}

// A mix of control groups is what crun refuses; hatchdog says it before.
func TestDoctorKnowsWhatCrunLacks(t *testing.T) {
	if !hybrid() {
		t.Skip("the control groups of this host are of one version")
	}
	d := newReal(t, "{path: "+cached(t, "newest-crun-*/crun")+"}", "")
	out, _ := run(t, tested.hatchctl, "--policy", d.policy, "doctor")
	wantLines(t, out, "starts no container where control groups of both versions are mounted", "runtime.path")
	said, code := d.create(t)
	if code == 0 || !strings.Contains(said, "hybrid") {
		t.Errorf("create: %d %s", code, said)
	}
}

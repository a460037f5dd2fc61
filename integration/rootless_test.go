package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// someUser is a user of no account and no group.
const someUser = 54321

// rootless is a place of a user other than root.
type rootless struct{ dir, bundle string }

func newRootless(t *testing.T) *rootless {
	t.Helper()
	dir := filepath.Join(tested.dir, "rootless")
	r := &rootless{dir: dir, bundle: makeBundle(t, "cat /proc/self/uid_map; grep -E 'CapEff|NoNew' /proc/self/status")}
	must(t, os.RemoveAll(dir))
	for _, d := range []string{"run", "home"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	must(t, os.Rename(r.bundle, dir+"/bundle"))
	r.bundle = dir + "/bundle"
	must(t, os.Link(r.bundle+"/rootfs/bin/sh", r.bundle+"/rootfs/bin/cat"))
	must(t, os.Link(r.bundle+"/rootfs/bin/sh", r.bundle+"/rootfs/bin/sleep"))
	// What runc spec --rootless writes, with a network namespace.
	var s specs.Spec
	must(t, json.Unmarshal([]byte(read(t, r.bundle+"/config.json")), &s))
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: someUser, Size: 1}}
	s.Linux.GIDMappings = s.Linux.UIDMappings
	s.Linux.Resources, s.Linux.CgroupsPath = nil, ""
	s.Process.User.AdditionalGids = nil
	for i := range s.Mounts {
		s.Mounts[i].Options = without(s.Mounts[i].Options, "gid=5")
	}
	out, err := json.Marshal(&s)
	must(t, err)
	must(t, os.WriteFile(r.bundle+"/config.json", out, 0o600))
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, someUser, someUser)
	}))
	runc := filepath.Join(dir, "runc") // root's cache is closed to others
	data, err := os.ReadFile(pinnedRunc(t))
	must(t, err)
	must(t, os.WriteFile(runc, data, 0o755))
	return r
}

func without(all []string, one string) []string {
	var kept []string
	for _, s := range all {
		if s != one {
			kept = append(kept, s)
		}
	}
	return kept
}

func (r *rootless) call(t *testing.T, program string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = r.bundle
	cmd.Env = []string{"PATH=" + r.dir + ":/usr/bin:/bin", "HOME=" + r.dir + "/home", "XDG_RUNTIME_DIR=" + r.dir + "/run"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: someUser, Gid: someUser}}
	file, err := os.OpenFile(r.dir+"/output", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	must(t, err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	_ = cmd.Run()
	return read(t, file.Name()), cmd.ProcessState.ExitCode()
}

// An ordinary user runs a bundle, with the built-in policy.
func TestRootless(t *testing.T) {
	r := newRootless(t)
	for range 2 {
		out, code := r.call(t, tested.hatchdog, "run", "c1")
		if code != 0 || !strings.Contains(out, "54321          1") {
			t.Fatal(code, out)
		}
		wantLines(t, out, "NoNewPrivs:\t1")
	}
	var s specs.Spec
	must(t, json.Unmarshal([]byte(read(t, r.bundle+"/config.json")), &s))
	s.Process.Args = []string{"sleep", "600"}
	out, err := json.Marshal(&s)
	must(t, err)
	must(t, os.WriteFile(r.bundle+"/config.json", out, 0o600))
	if out, code := r.call(t, tested.hatchdog, "create", "c2"); code != 0 {
		t.Fatal(out)
	}
	if out, code := r.call(t, tested.hatchdog, "start", "c2"); code != 0 {
		t.Error(out)
	}
	if found, _ := filepath.Glob(r.dir + "/run/hatchdog/*/c2/record.json"); len(found) != 1 {
		t.Errorf("records below XDG_RUNTIME_DIR: %v", found)
	}
	explained, _ := r.call(t, tested.hatchctl, "explain", "c2")
	wantLines(t, explained, "the ceiling pids is not held", "delegated to this user")
	if out, code := r.call(t, tested.hatchdog, "exec", "c2", "grep", "NoNew", "/proc/self/status"); code != 0 || !strings.Contains(out, "NoNewPrivs:\t1") {
		t.Errorf("exec: %d %s", code, out)
	}
	if out, code := r.call(t, tested.hatchdog, "delete", "--force", "c2"); code != 0 {
		t.Error(out)
	}
	if found, _ := filepath.Glob(r.dir + "/run/hatchdog/*/c2"); len(found) > 0 {
		t.Errorf("left: %v", found)
	}
}

package lowlevel

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOwnProcs(t *testing.T) {
	v1, v2 := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(v2, "cgroup.procs"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ mount, own, want string }{
		{v2, "0::/a/b\n", filepath.Join(v2, "a/b/cgroup.procs")},
		{v2, "0::/\n", filepath.Join(v2, "cgroup.procs")},
		{v1, "9:name=systemd:/x\n8:pids:/a b:c\n0::/\n", filepath.Join(v1, "pids/a b:c/cgroup.procs")},
		{v1, "3:cpu,cpuacct:/x\n0::/\n", ""},
		{v2, "8:pids:/x\n", ""},
		{v2, "", ""},
		{v1, "8:pids:/../../x\n", ""},
		{v2, "0::/..\n", ""},
	} {
		if got := ownProcs(c.mount, c.own); got != c.want {
			t.Errorf("%q: %q, not %q", c.own, got, c.want)
		}
	}
}

// A process that stays is where it was, in every hierarchy.
func TestStay(t *testing.T) {
	before, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	procs := ownProcs(cgroupMount, string(before))
	stay(procs)
	stay(filepath.Join(t.TempDir(), "none"))
	after, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || string(after) != string(before) {
		t.Errorf("%q: it was in\n%s, and is in\n%s (%v)", procs, before, after, err)
	}
}

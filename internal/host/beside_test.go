package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hatchdog/hatchdog/internal/retest"
)

func files(t *testing.T, all map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range all {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const app = "sys/fs/cgroup/user.slice/user@1000.service/app.slice/"

// What systemd delegates to a user, and a session of a login beside it, of which
// nothing is the user's.
func TestBesideInVersion2(t *testing.T) {
	root := files(t, map[string]string{
		"sys/fs/cgroup/cgroup.controllers": "cpu memory pids io\n", "proc/self/cgroup": "0::/user.slice/user@1000.service/app.slice/run-1.scope\n",
		app + "cgroup.controllers": "memory pids\n", app + "cgroup.procs": "", app + "cgroup.subtree_control": "pids\n",
	})
	if got := Beside(root); !slices.Equal(got, []string{"memory", "pids"}) {
		t.Errorf("beside: %v", got)
	}
	if err := os.Remove(filepath.Join(root, app, "cgroup.procs")); err != nil {
		t.Fatal(err)
	}
	if got := Beside(root); got != nil {
		t.Errorf("nobody may go there: %v", got)
	}
	root = files(t, map[string]string{"sys/fs/cgroup/cgroup.controllers": "pids\n", "proc/self/cgroup": "0::/\n"})
	if got := Beside(root); got != nil {
		t.Errorf("at the root: %v", got)
	}
}

// In version 1 one that is not ours is enough for none.
func TestBesideInVersion1(t *testing.T) {
	retest.NeedRoot(t, "write to everything")
	root := files(t, map[string]string{
		"proc/self/cgroup":          "3:name=systemd:/\n2:cpu,cpuacct:/a\n1:pids:/b\n0::/\n",
		"sys/fs/cgroup/cpu/a/tasks": "", "sys/fs/cgroup/cpuacct/a/tasks": "", "sys/fs/cgroup/pids/b/tasks": "",
	})
	if got := Beside(root); !slices.Equal(got, []string{"cpu", "cpuacct", "pids"}) {
		t.Errorf("below: %v", got)
	}
	if err := os.RemoveAll(filepath.Join(root, "sys/fs/cgroup/cpuacct")); err != nil {
		t.Fatal(err)
	}
	if got := Beside(root); got != nil {
		t.Errorf("without cpuacct: %v", got)
	}
}

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What has ended is deleted without --force, with which runc waits for 100 ms; what
// was not started, or has a first process that lives, is deleted with it.
func TestBoxIsDeletedWithoutWaiting(t *testing.T) {
	b := newBoxed(t)
	dir := t.TempDir()
	must(t, os.Link(tested.hatchctl, dir+"/hatchctl"))
	must(t, os.WriteFile(dir+"/hatchdog", []byte("#!/bin/sh\necho \"$*\" >>"+dir+"/calls\n[ \"$3\" != \"$REFUSED\" ] || exit 1\nexec "+tested.hatchdog+" \"$@\"\n"), 0o755))
	for refused, forced := range map[string]bool{"": false, "start": true} {
		_ = os.Remove(dir + "/calls")
		cmd := exec.Command(dir+"/hatchctl", "run", boxDir(), "--name", "calls", "--", "true")
		cmd.Dir = b.dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"), "HATCHDOG_POLICY=", "REFUSED="+refused)
		_ = cmd.Run()
		if calls := read(t, dir+"/calls"); !strings.Contains(calls, " delete ") || strings.Contains(calls, "delete --force calls") != forced {
			t.Errorf("%q:\n%s", refused, calls)
		}
		if _, err := os.Stat(filepath.Join(tested.dir, "boxes/runtime/calls")); err == nil {
			t.Errorf("%q: it is left", refused)
		}
	}
}

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Under untrusted a file system in memory is no place for programs, wherever it is
// asked for and whatever it is to be filled with.
func TestNothingRunsInMemory(t *testing.T) {
	for _, m := range []specs.Mount{
		{Destination: "/work", Type: "tmpfs", Source: "tmpfs", Options: []string{"exec", "mode=1777"}},
		{Destination: "/opt", Type: "tmpfs", Source: "tmpfs", Options: []string{"rw", "tmpcopyup", "mode=1777"}},
		{Destination: "/opt/bin", Type: "tmpfs", Source: "tmpfs", Options: []string{"tmpcopyup", "exec", "mode=1777"}},
	} {
		d := newPinned(t, "/bin/cat /bin/sh >"+m.Destination+"/sh; /bin/chmod 755 "+m.Destination+"/sh; "+m.Destination+"/sh -c 'echo brought along'; echo ran")
		must(t, os.Chmod(filepath.Dir(d.dir), 0o755)) // the way of a user namespace to the state directory
		copyApplets(t, d.bundle, "cat", "chmod")
		d.setPolicy(t, "profile: untrusted\n")
		d.edit(t, func(s *specs.Spec) { s.Mounts = append(s.Mounts, m) })
		out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
		if code != 0 || strings.Contains(out, "brought along") || !strings.Contains(out, "ermission denied") || !strings.Contains(out, "ran\n") {
			t.Errorf("%s: exit code %d: %s", m.Destination, code, out)
		}
	}
}

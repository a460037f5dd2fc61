package effects

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
)

func TestBarred(t *testing.T) {
	top, err := os.MkdirTemp("/tmp", "reach") // t.TempDir's parents are as they are
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(top)
	base := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(base, 0o755); err != nil {
		t.Fatal(err)
	}
	other, self := uint32(os.Geteuid()+4711), uint32(os.Geteuid())
	for _, c := range []struct {
		mode     os.FileMode
		mappings []specs.LinuxIDMapping
		want     bool
	}{
		{0o711, []specs.LinuxIDMapping{{HostID: other, Size: 10}}, false},
		{0o710, []specs.LinuxIDMapping{{HostID: other, Size: 10}}, true},
		{0o700, []specs.LinuxIDMapping{{HostID: self, Size: 1}}, false},
		{0o700, []specs.LinuxIDMapping{{HostID: self, ContainerID: 1, Size: 1}, {HostID: other, Size: 1}}, true},
		{0o700, nil, false}, // no user namespace of the engine's
	} {
		for _, dir := range []string{top, filepath.Join(top, "a"), base} {
			if err := os.Chmod(top, 0o711); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, c.mode); err != nil {
				t.Fatal(err)
			}
			w := &work{Request: Request{Spec: &specs.Spec{Linux: &specs.Linux{UIDMappings: c.mappings}}, Facts: host.Facts{Euid: 1000}}}
			if got := w.barred(base); got != c.want {
				t.Errorf("%s %o for %v: %v", dir, c.mode, c.mappings, got)
			}
			if w.Facts.Euid = 0; w.barred(base) {
				t.Errorf("%s %o for %v: the host's root leaves the engine's path to others", dir, c.mode, c.mappings)
			}
			if err := os.Chmod(dir, 0o711); err != nil {
				t.Fatal(err)
			}
		}
	}
}

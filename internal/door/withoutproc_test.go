package door

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestWithoutProc(t *testing.T) {
	p := profileOf(t, "extends: builtin/restricted", "")
	for i, c := range []struct {
		mounts  []specs.Mount
		runtime string
		refused bool
	}{
		{nil, "runc", true},
		{[]specs.Mount{{Destination: "/proc/sys", Type: "tmpfs"}, {Destination: "/sys", Type: "sysfs"}}, "runc", true},
		{[]specs.Mount{{Destination: "/proc", Type: "proc"}}, "runc", false},
		{[]specs.Mount{{Destination: "proc/", Type: "bind"}}, "runc", false},
		{nil, "crun", false},
	} {
		if got := withoutProc(&specs.Spec{Mounts: c.mounts}, c.runtime, p); (len(got) > 0) != c.refused {
			t.Errorf("%d: %v", i, got)
		}
	}
}

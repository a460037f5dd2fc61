package host

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestRoot(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	bundle := filepath.Join(dir, "bundle")
	must(t, os.MkdirAll(filepath.Join(bundle, "rootfs"), 0o755))
	must(t, os.Symlink("/etc", filepath.Join(bundle, "link")))
	must(t, os.Symlink(bundle, filepath.Join(dir, "named")))
	for path, want := range map[string]Root{
		"rootfs":                  {Source: Source{Resolved: bundle + "/rootfs"}, InBundle: true},
		bundle + "/rootfs":        {Source: Source{Resolved: bundle + "/rootfs"}, InBundle: true},
		dir + "/named/rootfs":     {Source: Source{Resolved: bundle + "/rootfs"}, InBundle: true},
		"link":                    {Source: Source{Resolved: "/etc"}},
		"../../../../../../../..": {Source: Source{Resolved: "/"}},
		".":                       {Source: Source{Resolved: bundle}},
		"gone":                    {Missing: true},
	} {
		f, sources, err := Probe(Request{
			Spec: &specs.Spec{Root: &specs.Root{Path: path}}, Profile: &policy.Profile{}, Bundle: filepath.Join(dir, "named"),
		})
		must(t, err)
		sources.Close()
		if got := *f.Root; got.Resolved != want.Resolved || got.InBundle != want.InBundle || got.Missing != want.Missing {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestNodes(t *testing.T) {
	got := nodes(&specs.Spec{Linux: &specs.Linux{Devices: []specs.LinuxDevice{{Path: "/dev/null"}, {Path: "/etc/passwd"}, {Path: "/dev/not-there"}}}})
	if len(got) != 1 || got["/dev/null"] != (Node{"c", 1, 3}) {
		t.Errorf("%+v", got)
	}
}

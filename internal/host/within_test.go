package host

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"

	"github.com/hatchdog/hatchdog/internal/retest"
)

func identify(t *testing.T, path string) FileID {
	t.Helper()
	dev, ino, err := Identify(path)
	must(t, err)
	return FileID{dev, ino}
}

// What lies in a directory is known to, under each of its names and whatever it
// is reached by; what a source brings along is known by its other names.
func TestWithinAndBrought(t *testing.T) {
	if !retest.Mounts(t) {
		return
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	for _, d := range []string{"holder/in", "named", "up/below", "up/own"} {
		must(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(dir+"/holder/in/file", nil, 0o600))
	must(t, unix.Mount(dir+"/holder/in", dir+"/named", "", unix.MS_BIND, ""))
	must(t, unix.Mount(dir+"/holder/in", dir+"/up/below", "", unix.MS_BIND, ""))
	must(t, unix.Mount("tmpfs", dir+"/up/own", "tmpfs", 0, ""))
	defer func() {
		for _, d := range []string{"named", "up/below", "up/own"} {
			_ = unix.Unmount(filepath.Join(dir, d), unix.MNT_DETACH)
		}
	}()
	must(t, os.Symlink("holder/in", dir+"/link"))
	holder := identify(t, dir+"/holder")
	for source, in := range map[string]bool{
		"holder": true, "holder/in": true, "holder/in/file": true, "named": true, "named/file": true, "link/file": true, "up": true,
		"up/own": false, ".": false,
	} {
		path := filepath.Join(dir, source)
		f, sources, err := Probe(Request{
			Spec: &specs.Spec{Mounts: []specs.Mount{{Destination: "/x", Type: "bind", Source: path}}}, Profile: &policy.Profile{}, Bundle: dir,
		})
		must(t, err)
		sources.Close()
		src := f.Sources[path]
		if src.Err != "" || src.Within[0] != src.ID || slices.Contains(src.Within, holder) != in {
			t.Errorf("%s: %+v, holder %v", source, src, holder)
		}
		if source != "up" {
			continue
		}
		if !slices.Contains(src.Brings, dir+"/holder/in") || slices.Contains(src.Brings, dir+"/up/below") || !slices.Contains(src.Mounted, identify(t, dir+"/up/own")) {
			t.Errorf("brought: %q %v", src.Brings, src.Mounted)
		}
	}
}

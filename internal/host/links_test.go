package host

import (
	"os"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// Links of an image are found where low-level runtimes work, and followed within
// the image alone.
func TestLinksOfAnImage(t *testing.T) {
	for name, c := range map[string]struct {
		links   map[string]string // link: target
		cwd     string
		want    []string
		wantCwd string
	}{
		"none":                {cwd: "/srv/app", wantCwd: "/srv/app"},
		"/proc":               {links: map[string]string{"proc": "srv/p"}, cwd: "/", want: []string{"/proc"}, wantCwd: "/"},
		"/dev/null":           {links: map[string]string{"dev/null": "/proc/version"}, want: []string{"/dev/null"}},
		"/dev":                {links: map[string]string{"dev": "/dev"}, want: []string{"/dev"}},
		"a working directory": {links: map[string]string{"work": "/proc/self/fd/7"}, cwd: "/work", wantCwd: "/proc/self/fd/7"},
		"by two links":        {links: map[string]string{"a": "./b", "b": "../../proc/self"}, cwd: "/a/fd/7", wantCwd: "/proc/self/fd/7"},
		"a loop":              {links: map[string]string{"a": "a"}, cwd: "/a/x", wantCwd: "/a/x"},
		"below what is there": {links: map[string]string{"srv/up": ".."}, cwd: "/srv/up/srv/up/proc/1/cwd", wantCwd: "/proc/1/cwd"},
	} {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+"/srv", 0o755))
		if name != "/dev" {
			must(t, os.MkdirAll(dir+"/dev", 0o755))
		}
		for link, to := range c.links {
			must(t, os.Symlink(to, dir+"/"+link))
		}
		f, sources, err := Probe(Request{
			Spec: &specs.Spec{Root: &specs.Root{Path: dir}, Process: &specs.Process{Cwd: c.cwd}}, Profile: &policy.Profile{}, Bundle: dir,
		})
		must(t, err)
		sources.Close()
		if !slices.Equal(f.Root.Links, c.want) || f.Root.Cwd != c.wantCwd {
			t.Errorf("%s: %q %q", name, f.Root.Links, f.Root.Cwd)
		}
	}
}

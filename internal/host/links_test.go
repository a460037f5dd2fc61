package host

import (
	"fmt"
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
		"a loop":              {links: map[string]string{"a": "a"}, cwd: "/a/x", wantCwd: Endless},
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

// A destination and a working directory lead by links of volumes as by the
// image's; what is mounted over a link hides it.
func TestWhereDestinationsLead(t *testing.T) {
	image, volume := t.TempDir(), t.TempDir()
	for _, dir := range []string{image + "/srv", image + "/run", volume + "/deep"} {
		must(t, os.MkdirAll(dir, 0o755))
	}
	for link, to := range map[string]string{
		image + "/x": "proc", image + "/run/lock": "/srv", volume + "/up": "../../..", volume + "/deep/fd": "/proc/self/fd/6", image + "/var": "/srv",
	} {
		must(t, os.Symlink(to, link))
	}
	must(t, os.MkdirAll(image+"/deep/below", 0o755))
	must(t, os.Symlink("deep/below", image+"/far"))
	must(t, os.Symlink("/proc", image+"/deep/y"))
	must(t, os.Symlink("/proc", image+"/l0"))
	for n := range 100 {
		must(t, os.Symlink(fmt.Sprintf("l%d", n), fmt.Sprintf("%s/l%d", image, n+1)))
	}
	bind := func(at string) specs.Mount {
		return specs.Mount{Destination: at, Type: "bind", Source: volume, Options: []string{"rbind"}}
	}
	fresh := func(at string, options ...string) specs.Mount {
		return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	for name, c := range map[string]struct {
		mounts []specs.Mount
		cwd    string
		leads  string // of the last mount; "" is where it says
		at     string // the working directory
	}{
		"where it says":                 {[]specs.Mount{bind("/data/./x/")}, "/data", "", "/data"},
		"a link of the image":           {[]specs.Mount{bind("/x")}, "/", "/proc", "/"},
		"a relative destination":        {[]specs.Mount{bind("x/self")}, "/", "/proc/self", "/"},
		"a link of a volume":            {[]specs.Mount{bind("/data"), bind("/data/up/proc")}, "/", "/proc", "/"},
		"a volume by a link":            {[]specs.Mount{bind("/var/data"), bind("/srv/data/up/sys")}, "/", "/sys", "/"},
		"the working directory":         {[]specs.Mount{bind("/data")}, "/data/deep/fd", "", "/proc/self/fd/6"},
		"a new one hides":               {[]specs.Mount{fresh("/run"), bind("/run/lock/a")}, "/", "", "/"},
		"a copy of the image's":         {[]specs.Mount{fresh("/run", "tmpcopyup"), bind("/run/lock/a")}, "/", "/srv/a", "/"},
		"the last one covers":           {[]specs.Mount{bind("/data"), fresh("/data"), bind("/data/up/a")}, "/", "", "/"},
		"one above covers":              {[]specs.Mount{bind("/data/v"), fresh("/data"), bind("/data/v/up/a")}, "/", "", "/"},
		"a .. behind a link":            {[]specs.Mount{bind("/x/../../up")}, "/", "", "/"},
		"a .. behind a link, led on":    {[]specs.Mount{bind("/far/../y")}, "/", "/proc", "/"},
		"many links":                    {[]specs.Mount{bind("/l100/self")}, "/", "/proc/self", "/"},
		"a name that begins with a dot": {[]specs.Mount{bind("/data/.."), bind("/.up")}, "/", "", "/"},
	} {
		f, sources, err := Probe(Request{
			Spec:    &specs.Spec{Root: &specs.Root{Path: image}, Mounts: c.mounts, Process: &specs.Process{Cwd: c.cwd}},
			Profile: &policy.Profile{}, Bundle: image,
		})
		must(t, err)
		sources.Close()
		got := f.Root.Destinations[c.mounts[len(c.mounts)-1].Destination]
		if f.Root.Cwd != c.at || (c.leads == "") != (len(got) == 0) || c.leads != "" && !slices.Contains(got, c.leads) {
			t.Errorf("%s: %q, the working directory %q", name, got, f.Root.Cwd)
		}
	}
}

package mounts

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestRootFileSystem(t *testing.T) {
	at := func(path string, aliases ...string) host.Root {
		return host.Root{Source: host.Source{Resolved: path, Dir: true, Aliases: aliases}}
	}
	inBundle := func(path string, aliases ...string) host.Root {
		r := at(path, aliases...)
		r.InBundle = true
		return r
	}
	const task = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs"
	for name, c := range map[string]struct {
		root host.Root
		want string // the start of the refusal
	}{
		"Docker":                    {at("/var/lib/docker/overlay2/abc/merged"), ""},
		"Docker, remapped":          {at("/var/lib/docker/1000.1000/overlay2/abc/merged"), ""},
		"containerd":                {inBundle(task), ""},
		"containerd, native":        {inBundle(task, "/var/lib/containerd/io.containerd.snapshotter.v1.native/snapshots/7"), ""},
		"Podman":                    {at("/var/lib/containers/storage/overlay/abc/merged"), ""},
		"a directory of its own":    {at("/srv/root"), ""},
		"not there":                 {host.Root{Source: host.Source{Err: "no such file"}, Missing: true}, ""},
		"cannot be examined":        {host.Root{Source: host.Source{Err: "permission denied"}}, "it cannot be examined"},
		"the host's root":           {at("/"), "/ is protected"},
		"the same, mounted":         {at("/mnt/r", "/"), "/mnt/r reaches /"},
		"the same, in the bundle":   {inBundle(task, "/"), task + " reaches /"},
		"etc":                       {at("/etc"), "/etc is protected"},
		"programs of the host":      {at("/usr"), "/usr is protected"},
		"above what is protected":   {at("/var"), "/var reaches /var/lib/docker"},
		"Docker's state":            {at("/var/lib/docker/overlay2"), "/var/lib/docker/overlay2 reaches /var/lib/docker"},
		"etc mounted in the bundle": {inBundle(task, "/etc"), task + " reaches /etc"},
		"etc mounted in it":         {host.Root{Source: host.Source{Resolved: "/srv/root", Dir: true, Contains: []string{"/etc"}}}, "/srv/root reaches /etc"},
	} {
		f := able(nil)
		f.Root = &c.root
		_, refusals := apply(t, profile(t, "baseline"), f, &specs.Spec{Root: &specs.Root{Path: "r"}})
		got := ""
		if len(refusals) > 0 {
			got = refusals[0].Reason
		}
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// remount would take back what an earlier mount was tightened to: a read-only
// /usr of the host could be written to.
func TestRemountIsRefused(t *testing.T) {
	f := able(map[string]host.Source{"/usr": {Resolved: "/usr", Dir: true}, "/srv": {Resolved: "/srv", Dir: true}})
	for _, m := range []specs.Mount{
		{Destination: "/u", Type: "bind", Source: "/srv", Options: []string{"bind", "remount", "rw"}},
		{Destination: "/sys", Type: "tmpfs", Source: "tmpfs", Options: []string{"remount", "rw"}},
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"remount"}},
	} {
		s := &specs.Spec{Mounts: []specs.Mount{{Destination: "/u", Type: "bind", Source: "/usr", Options: []string{"rbind"}}, m}}
		if _, refusals := apply(t, profile(t, "baseline"), f, s); len(refusals) != 1 {
			t.Errorf("%s: %v", m.Type, refusals)
		}
	}
}

// Without the second mount a part of the first would lie open.
func TestTightenKeepsWhatCovers(t *testing.T) {
	p := profile(t, "restricted")
	p.OnExcess = map[string]policy.Excess{policy.Mounts: policy.Tighten}
	f := able(map[string]host.Source{"/srv": {Resolved: "/srv", Dir: true}, "/etc": {Resolved: "/etc", Dir: true}})
	for dest, refused := range map[string]int{"/a/b": 1, "/a": 1, "/a/": 1, "/ab": 0} {
		s := &specs.Spec{Mounts: []specs.Mount{
			{Destination: "/a", Type: "bind", Source: "/srv", Options: []string{"rbind"}},
			{Destination: dest, Type: "bind", Source: "/etc", Options: []string{"rbind"}},
		}}
		if _, refusals := apply(t, p, f, s); len(refusals) != refused || len(s.Mounts) != 1+refused {
			t.Errorf("%s: %v %v", dest, refusals, s.Mounts)
		}
	}
}

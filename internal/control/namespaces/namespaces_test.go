package namespaces

import (
	"errors"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func facts() host.Facts {
	names := []string{"pid", "network", "mount", "ipc", "uts", "cgroup", "time"}
	return host.Facts{
		Kernel: host.Kernel{Namespaces: names}, Runtime: host.Runtime{Namespaces: names},
		HostNamespaces: map[string][]host.FileID{"network": {{Ino: 1}}},
		Joined: map[string]host.JoinedNamespace{
			"/proc/1/ns/net": {ID: host.FileID{Ino: 1}, Type: "network"},
			"/proc/9/ns/net": {ID: host.FileID{Ino: 9}, Type: "network"},
			"/tmp/x":         {Err: "not a namespace"},
		},
	}
}

func profile(e policy.Excess) *policy.Profile {
	return &policy.Profile{
		OnExcess:   map[string]policy.Excess{policy.Namespaces: e},
		Namespaces: policy.NamespaceRules{Join: []string{"network"}},
	}
}

func spec(network string, types ...specs.LinuxNamespaceType) *specs.Spec {
	s := &specs.Spec{Linux: &specs.Linux{}}
	for _, t := range types {
		ns := specs.LinuxNamespace{Type: t}
		if t == specs.NetworkNamespace {
			ns.Path = network
		}
		s.Linux.Namespaces = append(s.Linux.Namespaces, ns)
	}
	return s
}

func all() []specs.LinuxNamespaceType {
	return []specs.LinuxNamespaceType{"pid", "network", "mount", "ipc", "uts"}
}

func TestApply(t *testing.T) {
	for name, tc := range map[string]struct {
		spec    *specs.Spec
		excess  policy.Excess
		refused string
		changes int
	}{
		"own ones, cgroup and time added": {spec("", all()...), policy.Refuse, "", 2},
		"joins a container":               {spec("/proc/9/ns/net", all()...), policy.Refuse, "", 2},
		"joins the host by path":          {spec("/proc/1/ns/net", all()...), policy.Refuse, "asks for the host's network namespace", 2},
		"the same, tightened":             {spec("/proc/1/ns/net", all()...), policy.Tighten, "", 3},
		"not a namespace":                 {spec("/tmp/x", all()...), policy.Refuse, "does not lead", 2},
		"nobody looked":                   {spec("/tmp/y", all()...), policy.Refuse, "does not lead", 2},
		"host pid":                        {spec("", all()[1:]...), policy.Refuse, "signal the host's processes", 2},
		"host pid, tightened":             {spec("", all()[1:]...), policy.Tighten, "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(profile(tc.excess), facts(), false)
			changes, err := c.Apply(tc.spec)
			refusals, other := control.Refusals(err)
			if other != nil || len(changes) != tc.changes {
				t.Fatalf("%v %v", changes, err)
			}
			if tc.refused == "" && len(refusals) > 0 || tc.refused != "" && (len(refusals) != 1 || !strings.Contains(err.Error(), tc.refused)) {
				t.Fatalf("refusals: %v", err)
			}
			if again, _ := c.Apply(tc.spec); len(again) != 0 {
				t.Errorf("not idempotent: %v", again)
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	s := spec("", all()...)
	s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
	s.Linux.CgroupsPath = "/a/../.."
	_, err := New(profile(policy.Refuse), facts(), false).Apply(s)
	if r, _ := control.Refusals(err); len(r) != 2 {
		t.Errorf("%v", err)
	}
	if _, err := New(profile(policy.Refuse), facts(), false).Apply(spec("", "pid", "pid")); !errors.Is(err, ErrTwice) {
		t.Error(err)
	}
	if _, err := New(profile(policy.Refuse), facts(), false).Apply(spec("", "made-up")); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

func TestControlGroupPaths(t *testing.T) {
	for path, refused := range map[string]bool{
		"": false, "/docker/x": false, "x": false, "system.slice:docker:x": false, "/a/b/./c": false,
		"/": true, "//": true, "/.": true, ".": true, "./": true, "/a/..": true, "../x": true,
	} {
		s := spec("", all()...)
		s.Linux.CgroupsPath = path
		if _, err := New(profile(policy.Refuse), facts(), false).Apply(s); (err != nil) != refused {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestNoTimeNamespaceOnRestore(t *testing.T) {
	s := spec("", append(all(), "cgroup")...)
	if changes, err := New(profile(policy.Refuse), facts(), true).Apply(s); err != nil || len(changes) != 0 {
		t.Errorf("%v %v", changes, err)
	}
}

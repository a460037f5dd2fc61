package userns

import (
	"errors"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func profile(m policy.UserNSMode) *policy.Profile {
	return &policy.Profile{Name: "p", UserNS: policy.UserNSRules{Mode: m}, Hooks: policy.HookRules{DockerNetwork: true}}
}

// able is a host on which nothing stands against a user namespace.
func able() host.Facts {
	yes := host.Support{OK: true}
	return host.Facts{
		Runtime: host.Runtime{Name: "runc", Version: "1.5.2", Namespaces: []string{"user"}},
		UserNS:  host.UserNS{Kernel: yes, Place: yes, Root: host.RootFS{Idmap: yes}, Range: host.IDRange{Base: 200000, Size: size}},
		Sources: map[string]host.Source{"/v": {Resolved: "/v", Idmap: yes}},
		Hooks:   map[string]host.HookFile{"/docker": {Dockerd: true}},
		HostNamespaces: map[string][]host.FileID{
			"network": {{Ino: 1}},
		},
		Joined: map[string]host.JoinedNamespace{},
	}
}

func request() *specs.Spec {
	s := &specs.Spec{
		Process: &specs.Process{},
		Root:    &specs.Root{Path: "/r"},
		Mounts:  []specs.Mount{{Destination: "/d", Type: "bind", Source: "/v", Options: []string{"rbind"}}},
		Linux:   &specs.Linux{Sysctl: map[string]string{pingGroups: "0 2147483647"}},
	}
	for _, t := range []specs.LinuxNamespaceType{"pid", "network", "mount", "ipc", "uts"} {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t})
	}
	return s
}

func apply(t *testing.T, p *policy.Profile, f host.Facts, s *specs.Spec) ([]control.Change, []*control.Refusal) {
	t.Helper()
	changes, err := New(p, f, false).Apply(s)
	refusals, other := control.Refusals(err)
	if other != nil {
		t.Fatal(other)
	}
	return changes, refusals
}

func TestGivesOne(t *testing.T) {
	s := request()
	changes, refusals := apply(t, profile(policy.UserNSAuto), able(), s)
	want := []specs.LinuxIDMapping{{HostID: 200000, Size: size}}
	if len(changes) != 2 || len(refusals) > 0 || !slices.Equal(s.Linux.UIDMappings, want) || !slices.Equal(s.Linux.GIDMappings, want) ||
		!slices.Contains(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user"}) || s.Linux.Sysctl[pingGroups] != "0 65535" {
		t.Errorf("%v %v %+v", changes, refusals, s.Linux)
	}
	if again, _ := apply(t, profile(policy.UserNSAuto), able(), s); len(again) > 0 {
		t.Errorf("again: %v", again)
	}
	off := request()
	if changes, _ := apply(t, profile(policy.UserNSOff), able(), off); len(changes) > 0 || len(off.Linux.UIDMappings) > 0 {
		t.Errorf("off: %v", changes)
	}
}

// Whatever stands against one: auto goes without, required refuses and says
// what it is.
func TestWhatStandsAgainstOne(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*specs.Spec, *host.Facts)
		want   string
	}{
		"kernel":    {func(_ *specs.Spec, f *host.Facts) { f.UserNS.Kernel = host.Support{Why: "K"} }, "K"},
		"not asked": {func(_ *specs.Spec, f *host.Facts) { f.UserNS = host.UserNS{} }, "nobody has asked"},
		"place":     {func(_ *specs.Spec, f *host.Facts) { f.UserNS.Place = host.Support{Why: "P"} }, "P"},
		"runtime":   {func(_ *specs.Spec, f *host.Facts) { f.Runtime.Namespaces = nil }, "low-level runtime"},
		"not root":  {func(_ *specs.Spec, f *host.Facts) { f.Euid = 1000 }, "without root"},
		"hook": {func(s *specs.Spec, _ *host.Facts) {
			s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/gpu"}}}
		}, "/gpu"},
		"root":       {func(_ *specs.Spec, f *host.Facts) { f.UserNS.Root.Idmap = host.Support{Why: "R"} }, "R"},
		"volume":     {func(_ *specs.Spec, f *host.Facts) { f.Sources["/v"] = host.Source{Idmap: host.Support{Why: "V"}} }, "mount /d (from /v): V"},
		"unknown":    {func(_ *specs.Spec, f *host.Facts) { f.Sources = nil }, "mount /d"},
		"host's pid": {func(s *specs.Spec, _ *host.Facts) { s.Linux.Namespaces = s.Linux.Namespaces[1:] }, "host's pid namespace"},
		"joined": {func(s *specs.Spec, f *host.Facts) {
			s.Linux.Namespaces[3].Path = "/proc/5/ns/ipc"
			f.Joined["/proc/5/ns/ipc"] = host.JoinedNamespace{Type: "ipc", Owner: host.UserNSOwner{Host: true}}
		}, "belongs to the host's user namespace"},
		"host's network": {func(s *specs.Spec, f *host.Facts) {
			s.Linux.Namespaces[1].Path = "/n"
			f.Joined["/n"] = host.JoinedNamespace{ID: host.FileID{Ino: 1}, Type: "network", Owner: host.UserNSOwner{Host: true}}
		}, "host's network"},
		"network capability": {func(s *specs.Spec, f *host.Facts) {
			s.Linux.Namespaces[1].Path = "/n"
			s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_NET_RAW"}}
			f.Joined["/n"] = host.JoinedNamespace{ID: host.FileID{Ino: 9}, Type: "network", Owner: host.UserNSOwner{Host: true}}
		}, "CAP_NET_RAW"},
	} {
		for _, mode := range []policy.UserNSMode{policy.UserNSAuto, policy.UserNSRequired} {
			p := profile(mode)
			p.Capabilities.Max = []string{"CAP_NET_RAW"}
			s, f := request(), able()
			c.change(s, &f)
			if v := Decide(p, f, s, false); v.Use || !strings.Contains(v.Why, c.want) || v.Field == "" || v.Remedy == "" {
				t.Errorf("%s: %+v", name, v)
			}
			changes, refusals := apply(t, p, f, s)
			if len(changes) > 0 || len(s.Linux.UIDMappings) > 0 {
				t.Errorf("%s under %s: %v", name, mode, changes)
			}
			if refused := len(refusals) == 1 && strings.Contains(refusals[0].Error(), c.want); refused != (mode == policy.UserNSRequired) {
				t.Errorf("%s under %s: %v", name, mode, refusals)
			}
		}
	}
	if v := Decide(profile(policy.UserNSAuto), able(), request(), true); v.Use || !strings.Contains(v.Why, "checkpoint") {
		t.Errorf("restore: %+v", v)
	}
}

func TestShiftedVolumesNeedNoMapping(t *testing.T) {
	p, s, f := profile(policy.UserNSRequired), request(), able()
	p.UserNS.Volumes.Rules = []policy.VolumeRule{{Path: "/v", Mode: policy.VolumeShiftedRO}}
	f.Sources["/v"] = host.Source{Resolved: "/v"}
	changes, refusals := apply(t, p, f, s)
	if len(refusals) > 0 || len(changes) != 3 || !slices.Contains(s.Mounts[0].Options, "rro") {
		t.Errorf("%v %v %v", changes, refusals, s.Mounts)
	}
}

func TestJoins(t *testing.T) {
	ids := host.IDRange{Base: 300000, Size: size}
	for version, mapped := range map[string]bool{"1.1.5+ds1": true, "1.2.0": false, "1.5.2": false} {
		s, f := request(), able()
		f.Runtime.Version = version
		s.Linux.Namespaces[1].Path = "/proc/5/ns/net"
		f.Joined["/proc/5/ns/net"] = host.JoinedNamespace{Type: "network", Owner: host.UserNSOwner{Path: "/proc/5/ns/user", Range: ids}}
		_, refusals := apply(t, profile(policy.UserNSRequired), f, s)
		if len(refusals) > 0 || !slices.Contains(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user", Path: "/proc/5/ns/user"}) || mapped != (len(s.Linux.UIDMappings) == 1) {
			t.Errorf("%s: %v %+v", version, refusals, s.Linux)
		}
	}
	s, f := request(), able()
	for i, ns := range []string{"/proc/5/ns/net", "/proc/6/ns/ipc"} {
		s.Linux.Namespaces[1+2*i].Path = ns
		f.Joined[ns] = host.JoinedNamespace{Owner: host.UserNSOwner{Path: ns[:8] + "user", Range: host.IDRange{Base: uint32(300000 * (i + 1)), Size: size}}}
	}
	if v := Decide(profile(policy.UserNSAuto), f, s, false); v.Use || !strings.Contains(v.Why, "different ids") {
		t.Errorf("%+v", v)
	}
}

// Which namespaces are joined is the request's choice: it is no excuse.
func TestJoinsThatTakeTheUserNamespaceAway(t *testing.T) {
	for name, owners := range map[string][2]host.UserNSOwner{
		"of nobody known": {{}, {Path: "/proc/5/ns/user", Range: host.IDRange{Base: 300000, Size: size}}},
		"of another size": {{Path: "/proc/5/ns/user", Range: host.IDRange{Base: 300000, Size: 10}}, {}},
		"of two":          {{Path: "/proc/5/ns/user", Range: host.IDRange{Base: 300000, Size: size}}, {Path: "/proc/6/ns/user", Range: host.IDRange{Base: 400000, Size: size}}},
	} {
		for _, mode := range []policy.UserNSMode{policy.UserNSAuto, policy.UserNSRequired} {
			s, f := request(), able()
			for i, ns := range []string{"/some/net", "/some/ipc"} {
				s.Linux.Namespaces[1+2*i].Path = ns
				f.Joined[ns] = host.JoinedNamespace{Owner: owners[i]}
			}
			if _, refusals := apply(t, profile(mode), f, s); len(refusals) != 1 || !strings.Contains(refusals[0].Error(), "would take that away") {
				t.Errorf("%s, %s: %v", name, mode, refusals)
			}
		}
	}
}

// A pod's network belongs to the host's user namespace, which is no obstacle.
func TestPodNetwork(t *testing.T) {
	s, f := request(), able()
	s.Linux.Namespaces[1].Path = "/run/netns/pod"
	f.Joined["/run/netns/pod"] = host.JoinedNamespace{ID: host.FileID{Ino: 9}, Type: "network", Owner: host.UserNSOwner{Host: true}}
	if _, refusals := apply(t, profile(policy.UserNSRequired), f, s); len(refusals) > 0 || s.Linux.Sysctl[pingGroups] != "0 2147483647" {
		t.Errorf("%v %v", refusals, s.Linux.Sysctl)
	}
}

func TestOneThatIsAskedForIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		host    uint32
		path    string
		facts   func(*host.Facts)
		refused bool
	}{
		"own ids":           {host: 100000},
		"host's root":       {host: 0, refused: true},
		"a user's own":      {host: 0, facts: func(f *host.Facts) { f.Euid = 1000 }},
		"joined":            {host: 100000, path: "/proc/5/ns/user", facts: func(f *host.Facts) { f.Joined["/proc/5/ns/user"] = host.JoinedNamespace{NoHostRoot: true} }},
		"joined and pinned": {host: 100000, path: "/run/userns/pod"}, // runc holds it to the mapping
		"joined and unsure": {host: 100000, path: "/run/userns/pod", refused: true, facts: func(f *host.Facts) { f.Runtime = host.Runtime{Name: "runc", Version: "1.1.5"} }},
	} {
		s, f := request(), able()
		f.UserNS.Owners.EngineUIDs = []host.IDRange{{Base: 100000, Size: 65536}}
		f.UserNS.Owners.EngineGIDs = f.UserNS.Owners.EngineUIDs
		if c.facts != nil {
			c.facts(&f)
		}
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user", Path: c.path})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: c.host, Size: 10}}
		s.Linux.GIDMappings = slices.Clone(s.Linux.UIDMappings)
		changes, refusals := apply(t, profile(policy.UserNSRequired), f, s)
		if len(changes) > 0 || c.refused != (len(refusals) > 0) {
			t.Errorf("%s: %v %v", name, changes, refusals)
		}
	}
}

func TestNoRangeIsAnError(t *testing.T) {
	f := able()
	f.UserNS.Range = host.IDRange{}
	if _, err := New(profile(policy.UserNSAuto), f, false).Apply(request()); !errors.Is(err, errNoRange) {
		t.Error(err)
	}
}

func TestClip(t *testing.T) {
	for was, want := range map[string]string{"0 2147483647": "0 65535", "10 70000": "10 65535", "0 10": "0 10", "1 0": "1 0", "70000 80000": "", "x": "0 65535"} {
		s := request()
		s.Linux.Sysctl[pingGroups] = was
		clip(s)
		if got := s.Linux.Sysctl[pingGroups]; got != want {
			t.Errorf("%s became %q, want %q", was, got, want)
		}
	}
}

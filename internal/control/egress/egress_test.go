package egress

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func profile(excess policy.Excess, hostNetwork bool) *policy.Profile {
	p := &policy.Profile{OnExcess: map[string]policy.Excess{policy.Egress: excess}}
	p.Egress = policy.EgressRules{Default: "allow", Deny: []string{"metadata"}}
	if hostNetwork {
		p.Namespaces.Host = []string{"network"}
	}
	return p
}

func facts() host.Facts {
	return host.Facts{
		Own:            host.Own{Path: "/usr/local/bin/hatchdog", Record: "/run/hatchdog/r/c"},
		HostNamespaces: map[string][]host.FileID{"network": {{Dev: 4, Ino: 1}}},
		Joined: map[string]host.JoinedNamespace{
			"/proc/9/ns/net": {ID: host.FileID{Dev: 4, Ino: 9}, Type: "network"},
			"/proc/1/ns/net": {ID: host.FileID{Dev: 4, Ino: 1}, Type: "network"},
		},
	}
}

func spec(path string, hooks bool, caps ...string) *specs.Spec {
	s := &specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps}},
		Linux:   &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: path}}},
	}
	if hooks {
		s.Hooks = &specs.Hooks{Prestart: []specs.Hook{{Path: "/proc/7/exe"}}} //nolint:staticcheck // Docker uses it
	}
	return s
}

func TestWhereTheRulesGo(t *testing.T) {
	noNetwork := spec("", true)
	noNetwork.Linux.Namespaces = nil
	for name, c := range map[string]struct {
		spec    *specs.Spec
		profile *policy.Profile
		starts  bool
		want    Kind
		refused string
	}{
		"wired by a hook":         {spec("", true), profile(policy.Refuse, false), false, Start, ""},
		"wired before start":      {spec("", false), profile(policy.Refuse, false), false, Start, ""},
		"run, with a hook":        {spec("", true), profile(policy.Refuse, false), true, Hooked, ""},
		"run, without":            {spec("", false), profile(policy.Refuse, false), true, Hooked, ""},
		"another's":               {spec("/proc/9/ns/net", false), profile(policy.Refuse, false), true, Joined, ""},
		"the host's by path":      {spec("/proc/1/ns/net", false), profile(policy.Refuse, true), false, Hosts, "cannot be held"},
		"the host's":              {noNetwork, profile(policy.Refuse, true), false, Hosts, "cannot be held"},
		"the host's, not granted": {noNetwork, profile(policy.Refuse, false), false, Hosts, ""}, // the namespaces control says so
		"a profile without rules": {spec("", true, "CAP_NET_ADMIN"), &policy.Profile{}, false, Free, ""},
		"start, with NET_ADMIN":   {spec("", false, "CAP_NET_ADMIN"), profile(policy.Refuse, false), false, Start, "take the profile's network rules away"},
	} {
		if got := PlaceOf(c.profile, facts(), c.spec, c.starts); got.Kind != c.want {
			t.Errorf("%s: %s", name, got.Kind)
		}
		changes, err := New(c.profile, facts(), c.starts).Apply(c.spec)
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v", name, err)
		}
		hooked := c.spec.Hooks != nil && len(c.spec.Hooks.CreateRuntime) == 1
		if hooked != (c.want == Hooked) || hooked != (len(changes) == 1) {
			t.Errorf("%s: hooks %+v, changes %v", name, c.spec.Hooks, changes)
		}
		if again, _ := New(c.profile, facts(), c.starts).Apply(c.spec); len(again) > 0 {
			t.Errorf("%s, again: %v", name, again)
		}
	}
	if _, err := New(profile(policy.Refuse, false), host.Facts{}, true).Apply(spec("", true)); err == nil {
		t.Error("a hook without a program")
	}
}

func TestWithoutRoot(t *testing.T) {
	f := facts()
	f.Euid = 1000
	for _, starts := range []bool{false, true} {
		s := spec("", false)
		c := New(profile(policy.Refuse, false), f, starts)
		changes, err := c.Apply(s)
		if note := c.(control.Noter).Note(s); err != nil || len(changes) > 0 || !strings.Contains(note, "without root") {
			t.Errorf("%v %v %q", changes, err, note)
		}
	}
	if got := PlaceOf(profile(policy.Refuse, false), f, spec("", true), true); got.Kind != Hooked {
		t.Errorf("wired by a hook: %s", got.Kind) // which fails, and ends the create
	}
}

func TestCapabilitiesThatUndoTheRules(t *testing.T) {
	for _, name := range []string{"CAP_NET_ADMIN", "CAP_NET_RAW", "cap_net_admin"} {
		s := spec("", true, "CAP_CHOWN", name)
		_, err := New(profile(policy.Refuse, false), facts(), false).Apply(s)
		refusals, other := control.Refusals(err)
		if len(refusals) != 1 || other != nil || refusals[0].Field != "process.capabilities" {
			t.Errorf("%s: %v", name, err)
		}
		s = spec("", true, "CAP_CHOWN", name)
		changes, err := New(profile(policy.Tighten, false), facts(), false).Apply(s)
		if err != nil || len(changes) != 1 || !slices.Equal(s.Process.Capabilities.Bounding, []string{"CAP_CHOWN"}) || !slices.Equal(s.Process.Capabilities.Effective, []string{"CAP_CHOWN"}) {
			t.Errorf("%s: %v %v %v", name, changes, err, s.Process.Capabilities)
		}
	}
	// In a user namespace of its own, with a network namespace made outside of
	// it, a container's capabilities do not count there.
	s := spec("/proc/9/ns/net", false, "CAP_NET_ADMIN")
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	if _, err := New(profile(policy.Refuse, false), facts(), false).Apply(s); err != nil {
		t.Error(err)
	}
	s.Linux.Namespaces[0].Path = ""
	s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/opt/x"}}}
	if _, err := New(profile(policy.Refuse, false), facts(), false).Apply(s); err == nil {
		t.Error("the network namespace is made in the user namespace")
	}
}

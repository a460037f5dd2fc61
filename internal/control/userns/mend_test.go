package userns

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Nothing in a request gets rid of the user namespace.
func TestWhatARequestBringsIsMended(t *testing.T) {
	one := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0, Size: 1}}
	for name, change := range map[string]func(*specs.Spec){
		"group":           func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{10, 65536, 4294967294} },
		"mount":           func(s *specs.Spec) { s.Mounts[0].UIDMappings, s.Mounts[0].GIDMappings = one, one },
		"groups of mount": func(s *specs.Spec) { s.Mounts[0].GIDMappings = one },
		"option":          func(s *specs.Spec) { s.Mounts[0].Options = append(s.Mounts[0].Options, "ridmap") },
		"stray uids":      func(s *specs.Spec) { s.Linux.UIDMappings = one },
		"stray gids":      func(s *specs.Spec) { s.Linux.GIDMappings = one },
		"mapping of /proc": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/proc", Type: "proc", UIDMappings: one})
		},
	} {
		s := request()
		change(s)
		changes, refusals := apply(t, profile(policy.UserNSAuto), able(), s)
		own := []specs.LinuxIDMapping{{HostID: 200000, Size: size}}
		if len(refusals) > 0 || len(changes) < 3 || !slices.Equal(s.Linux.UIDMappings, own) || !slices.Equal(s.Linux.GIDMappings, own) ||
			!given(s) || slices.ContainsFunc(s.Mounts, remapped) || slices.Max(append(s.Process.User.AdditionalGids, 0)) >= size {
			t.Errorf("%s: %v %v %+v", name, changes, refusals, s)
		}
	}
}

// Where the host has no user namespaces, a mount has no mapping either.
func TestMappedMountsAreTheContainersOwn(t *testing.T) {
	engine := []specs.LinuxIDMapping{{HostID: 65536 * 3, Size: 65536}}
	other := []specs.LinuxIDMapping{{HostID: 0, Size: 1}}
	for name, c := range map[string]struct {
		given   bool
		mapping []specs.LinuxIDMapping
		options []string
		refused bool
	}{
		"none":                      {},
		"without a user namespace":  {mapping: engine, refused: true},
		"by option alone":           {options: []string{"idmap"}, refused: true},
		"the container's":           {given: true, mapping: engine},
		"the container's by option": {given: true, options: []string{"ridmap"}},
		"another":                   {given: true, mapping: other, refused: true},
	} {
		for _, mode := range []policy.UserNSMode{policy.UserNSAuto, policy.UserNSOff} {
			s, f := request(), able()
			f.UserNS.Kernel = host.Support{Why: "none"}
			if c.given {
				s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user"})
				s.Linux.UIDMappings, s.Linux.GIDMappings = engine, engine
			}
			s.Mounts[0].UIDMappings, s.Mounts[0].GIDMappings = c.mapping, c.mapping
			s.Mounts[0].Options = append(s.Mounts[0].Options, c.options...)
			if _, refusals := apply(t, profile(mode), f, s); c.refused != (len(refusals) > 0) {
				t.Errorf("%s under %s: %v", name, mode, refusals)
			}
		}
	}
}

// The kubelet without lines of its own draws a pod's ids from all that nobody has.
func TestWhoseIDsAPodMaps(t *testing.T) {
	const high = 65536 * 22053
	for _, c := range []struct {
		first, size uint32
		any, ok     bool
	}{
		{high, 65536, true, true},
		{high, 65536, false, false},
		{4294901760, 65535, true, false}, // short of a pod's
		{high + 1, 65536, true, false},
		{high, 1000, true, false},
		{high + 65536, 65536, true, false}, // another's
		{high - 65536, 65536, true, false}, // an account's
	} {
		f, s := able(), request()
		f.UserNS.Owners = host.IDOwners{
			KubeletAny: c.any, Users: []host.IDRange{{Base: high - 10, Size: 1}}, Others: []host.IDRange{{Base: high + 65536, Size: 65536}},
		}
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user"})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: c.first, Size: c.size}}
		s.Linux.GIDMappings = s.Linux.UIDMappings
		_, refusals := apply(t, profile(policy.UserNSAuto), f, s)
		if c.ok != (len(refusals) == 0) {
			t.Errorf("%d+%d, any %v: %v", c.first, c.size, c.any, refusals)
		}
	}
}

func TestWhoseIDsARequestMaps(t *testing.T) {
	f := able()
	f.UserNS.Owners = host.IDOwners{
		Users: []host.IDRange{{Base: 131080, Size: 1}}, EngineUIDs: []host.IDRange{{Base: 300000, Size: 65536}}, EngineGIDs: []host.IDRange{{Base: 300000, Size: 65536}},
		Others: []host.IDRange{{Base: 500000, Size: 65536}, {Base: 1879048192, Size: 1 << 20}},
	}
	for _, c := range []struct {
		first, size uint32
		want        string
	}{
		{300000, 65536, ""},
		{310000, 10, ""},
		{65536 * 3, 65536, ""},
		{0, 1, "host's root"},
		{1000, 1, "accounts"},
		{1, 4294967294, "accounts"},
		{4294967295, 2, "do not exist"},
		{4294967295, 1, "do not exist"},
		{300001, 65536, "no engine"},
		{131072, 65536, "accounts"},
		{500000, 65536, "belong to other"},
		{524288 - 65536, 131072, "belong to other"},
		{1879048192, 65536, "belong to other"},
		{400000, 10, "no engine"},
		{65536 * 5000, 65536, "no engine"},
	} {
		for _, groups := range []bool{false, true} {
			s := request()
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "user"})
			good := []specs.LinuxIDMapping{{HostID: 300000, Size: 65536}}
			s.Linux.UIDMappings, s.Linux.GIDMappings = good, good
			bad := []specs.LinuxIDMapping{{HostID: c.first, Size: c.size}}
			if s.Linux.UIDMappings = bad; groups {
				s.Linux.UIDMappings, s.Linux.GIDMappings = good, bad
			}
			if groups && c.first == 131072 {
				continue // no group has that number
			}
			_, refusals := apply(t, profile(policy.UserNSAuto), f, s)
			if c.want == "" && len(refusals) > 0 || c.want != "" && (len(refusals) != 1 || !strings.Contains(refusals[0].Error(), c.want)) {
				t.Errorf("%d+%d groups=%v: %v", c.first, c.size, groups, refusals)
			}
		}
	}
}

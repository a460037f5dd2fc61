package devices

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func i64(n int64) *int64 { return &n }

func profile(e policy.Excess) *policy.Profile {
	return &policy.Profile{
		OnExcess: map[string]policy.Excess{policy.Devices: e},
		Devices:  policy.DeviceRules{Allow: []policy.DeviceRule{{Type: "c", Major: i64(10), Minor: i64(229), Access: "rwm"}}},
	}
}

func TestNodes(t *testing.T) {
	for name, tc := range map[string]struct {
		dev     specs.LinuxDevice
		refused bool
	}{
		"null":              {specs.LinuxDevice{Path: "/dev/null", Type: "c", Major: 1, Minor: 3}, false},
		"memory as null":    {specs.LinuxDevice{Path: "/dev/null", Type: "c", Major: 1, Minor: 1}, true},
		"block as null":     {specs.LinuxDevice{Path: "/dev/null", Type: "b", Major: 1, Minor: 3}, true},
		"listed":            {specs.LinuxDevice{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}, false},
		"disk":              {specs.LinuxDevice{Path: "/dev/sda", Type: "b", Major: 8}, true},
		"null by that name": {specs.LinuxDevice{Path: "/dev/kvm", Type: "c", Major: 10, Minor: 232}, true},
	} {
		s := &specs.Spec{Linux: &specs.Linux{Devices: []specs.LinuxDevice{tc.dev}}}
		_, err := New(profile(policy.Refuse), host.Facts{}).Apply(s)
		if r, other := control.Refusals(err); other != nil || tc.refused != (len(r) == 1) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := New(profile(policy.Tighten), host.Facts{}).Apply(s); err != nil || tc.refused != (len(s.Linux.Devices) == 0) {
			t.Errorf("%s, tightened: %v %v", name, s.Linux.Devices, err)
		}
	}
}

// In a user namespace runc binds the host's file at the path, whatever the
// numbers say.
func TestNodesInAUserNamespace(t *testing.T) {
	f := host.Facts{Nodes: map[string]host.Node{"/dev/fuse": {Type: "c", Major: 10, Minor: 229}, "/dev/kmsg": {Type: "c", Major: 1, Minor: 11}}}
	for path, refused := range map[string]bool{"/dev/fuse": false, "/dev/kmsg": true, "/etc/shadow": true} {
		s := &specs.Spec{Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.UserNamespace}},
			Devices:    []specs.LinuxDevice{{Path: path, Type: "c", Major: 10, Minor: 229}},
		}}
		if _, err := New(profile(policy.Refuse), f).Apply(s); (err != nil) != refused {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPrivilegedIsRefusedInOneLine(t *testing.T) {
	raw, err := os.ReadFile("../../../integration/testdata/specs/docker-privileged.json")
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	_, err = New(profile(policy.Refuse), host.Facts{}).Apply(&s)
	if r, _ := control.Refusals(err); len(r) != 1 || !strings.Contains(err.Error(), "--privileged") || len(err.Error()) > 400 {
		t.Errorf("%v", err)
	}
	for _, r := range s.Linux.Resources.Devices {
		if r.Allow && r.Major == nil {
			t.Errorf("a rule that opens everything is left: %s", describe(r))
		}
	}
}

func TestRules(t *testing.T) {
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
		{Allow: true, Access: "rwm"},
		{Allow: true, Type: "a", Access: "rwm"},
		{Allow: true, Type: "c", Access: "m"},
		{Allow: true, Type: "c", Major: i64(1), Minor: i64(3), Access: "rwm"},
		{Allow: true, Type: "c", Major: i64(1), Access: "rwm"},
		{Allow: true, Type: "c", Major: i64(136), Access: "rwm"},
		{Allow: true, Type: "c", Major: i64(10), Minor: i64(229), Access: "rw"},
		{Allow: false, Type: "b", Major: i64(8), Access: "w"},
	}}
	if changes := Rules(profile(policy.Refuse), r); len(changes) != 5 || len(r.Devices) != 5+len(openings(profile(policy.Refuse))) || !deniesAll(r.Devices[0]) {
		t.Errorf("%v %v", changes, r.Devices)
	}
	if again := Rules(profile(policy.Refuse), r); len(again) != 0 {
		t.Errorf("not idempotent: %v", again)
	}
}

// What opens everything keeps what every container has, or none would start
// whose devices are taken away.
func TestEverythingTakenAway(t *testing.T) {
	r := &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}}
	Rules(profile(policy.Tighten), r)
	null := specs.LinuxDeviceCgroup{Allow: true, Type: "c", Major: i64(1), Minor: i64(3), Access: "rwm"}
	if len(r.Devices) < 2 || !deniesAll(r.Devices[0]) || !slices.ContainsFunc(r.Devices, func(d specs.LinuxDeviceCgroup) bool { return describe(d) == describe(null) }) {
		t.Errorf("%v", r.Devices)
	}
	for _, d := range r.Devices {
		if opensAll(d) {
			t.Errorf("it still opens everything: %v", r.Devices)
		}
	}
}

// A profile that lists all devices admits the rule that opens them.
func TestEverythingListed(t *testing.T) {
	p := profile(policy.Refuse)
	p.Devices.Allow = []policy.DeviceRule{{Type: "c", Access: "rwm"}, {Type: "b", Access: "rwm"}}
	all := []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Access: "rwm"}}
	r := &specs.LinuxResources{Devices: slices.Clone(all)}
	if changes := Rules(p, r); len(changes) != 0 {
		t.Errorf("%v", changes)
	}
	p.Devices.Allow[1].Access = "r"
	if changes := Rules(p, r); len(changes) != 1 {
		t.Errorf("%v", changes)
	}
}

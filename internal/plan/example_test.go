package plan_test

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// A plan changes the spec in place, and says what it changed and what it refuses.
func ExamplePlan_Apply() {
	p, err := policy.Default()
	if err != nil {
		fmt.Println(err)
		return
	}
	asked := []string{"CAP_CHOWN", "CAP_NET_RAW"}
	s := &specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: asked}},
		Linux:   &specs.Linux{Devices: []specs.LinuxDevice{{Path: "/dev/kvm", Type: "c", Major: 10, Minor: 232}}},
	}
	r, err := plan.New(p.Profiles["builtin/restricted"], host.Facts{}, plan.Options{}).Apply(s)
	fmt.Println(s.Process.Capabilities.Bounding, s.Process.NoNewPrivileges, err)
	for _, c := range r.Changes {
		if c.Control == policy.Capabilities {
			fmt.Println(c.Field+":", c.Reason)
		}
	}
	for _, refusal := range r.Refusals {
		if refusal.Control == policy.Devices {
			fmt.Println(refusal)
		}
	}
	// Output:
	// [CAP_CHOWN] true <nil>
	// process.capabilities.bounding: the profile does not grant it: CAP_NET_RAW (forge packets)
	// linux.devices: devices of the host that the profile does not list: /dev/kvm (policy: builtin/restricted devices.allow). Remedy: leave out --device, or add {type: c, major: 10, minor: 232, access: rwm} to devices.allow in a profile for this workload
}

package resources

import (
	"slices"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// held is the profile without the ceilings that a user other than root cannot
// hold, for lack of a control group of their own. Without root a container can
// take what its user could take without one; Unheld says what is missing.
func held(p *policy.Profile, g host.Cgroup) *policy.Profile {
	c := *p
	if !slices.Contains(g.Controllers, "pids") {
		c.Pids = policy.PidsRules{}
	}
	if !slices.Contains(g.Controllers, "memory") {
		c.Memory = policy.MemoryRules{}
	}
	if !slices.Contains(g.Controllers, "cpu") {
		c.CPU = policy.CPURules{}
	}
	return &c
}

// Unheld are the ceilings of the profile that are not held, as a user other
// than root. As root there are none: missing refuses.
func Unheld(p *policy.Profile, f host.Facts) []string {
	var keys []string
	if f.Euid == 0 {
		return nil
	}
	h := held(p, f.Cgroup)
	if p.Pids != h.Pids {
		keys = append(keys, "pids")
	}
	if p.Memory != h.Memory {
		keys = append(keys, "memory")
	}
	if p.CPU != h.CPU {
		keys = append(keys, "cpu")
	}
	return keys
}

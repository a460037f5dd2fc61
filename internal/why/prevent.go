package why

import (
	"slices"

	"github.com/hatchdog/hatchdog/internal/policy"
)

const drift = "drift"

// preventedBy is what of the kernel's guard stands behind a call that always meets it;
// "" where none does.
func preventedBy(call string) string {
	switch call {
	case "mount", "umount2", "umount", "pivot_root", "move_mount", "fsmount":
		return "mounts"
	case "bpf":
		return "bpf"
	case "init_module", "finit_module":
		return "modules"
	}
	return ""
}

// prevented: the kernel's guard answers EPERM, whatever the process may do.
func (c *Container) prevented(what, call string) *Finding {
	by := preventedBy(call)
	if by == "" || !slices.Contains(c.Prevent, by) {
		return nil
	}
	f := hatchdog(what, "no filter stops it; the kernel's guard answers EPERM", c.where("prevent.deny")).
		lifts(inProfile(func(p *policy.Profile) bool { return !slices.Contains(p.Prevent.Denied(), by) })).
		remedy("take " + by + " out of prevent.deny in the container's profile, and start it anew")
	return &f
}

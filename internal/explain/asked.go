package explain

import (
	"strings"

	"github.com/hatchdog/hatchdog/internal/control"
)

// Asked are the grants that give a container back what it asked for and was denied,
// as far as a key of a profile does. They leave additions that it did not ask for
// (hidden paths, limits, a user namespace) as they are.
func Asked(changes []control.Attributed) []control.Grant {
	var grants []control.Grant
	for _, c := range changes {
		if c.Before == "" {
			continue
		}
		back := c.Grants
		if len(back) == 0 {
			back = givesBack(c.Change)
		}
		grants = control.Union(grants, back...)
	}
	return grants
}

func givesBack(c control.Change) []control.Grant {
	field, key, _ := strings.Cut(strings.TrimSuffix(c.Field, "]"), "[")
	var all []control.Grant
	switch {
	case strings.HasPrefix(field, "process.capabilities."):
		for _, name := range gone(c) {
			all = append(all, control.Add("capabilities.max", name))
		}
	case field == "linux.seccomp.syscalls":
		for _, call := range Items(c.Before) {
			all = append(all, control.Add("seccomp.allow", call))
		}
	case field == "linux.seccomp.architectures":
		for _, arch := range gone(c) {
			all = append(all, control.Add("seccomp.architectures", "SCMP_ARCH_"+arch))
		}
	case field == "linux.sysctl" && c.After == "none":
		all = append(all, control.Add("sysctls.allow", control.Quoted(key)))
	case field == "process.rlimits" && strings.Contains(c.Before, "/"):
		_, hard, _ := strings.Cut(c.Before, "/")
		all = append(all, control.Set("privilege.rlimits."+key+".max", hard))
	case field == "process.oomScoreAdj":
		all = append(all, control.Set("privilege.oomScoreAdjMin", c.Before))
	case field == "linux.resources.pids.limit":
		all = append(all, control.Set("pids.max", "none"))
	case field == "linux.resources.memory.limit":
		all = append(all, control.Set("memory.max", "none"))
	case field == "linux.resources.memory.swap":
		all = append(all, control.Set("memory.swap", "none"))
	case field == "linux.resources.cpu.quota":
		all = append(all, control.Set("cpu.max", "none"))
	case field == "root.readonly":
		all = append(all, control.Set("rootfs.readOnly", "false"))
	}
	return all
}

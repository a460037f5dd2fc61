package sandbox

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func (b *Box) namespaces() []specs.LinuxNamespace {
	all := []specs.LinuxNamespace{
		{Type: specs.PIDNamespace},
		{Type: specs.NetworkNamespace},
		{Type: specs.MountNamespace},
		{Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace},
	}
	if !b.Alone || b.cgroup() != "" {
		all = append(all, specs.LinuxNamespace{Type: specs.CgroupNamespace})
	}
	if b.Alone {
		all = append(all, specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	return all
}

// ids maps the user who called, who is root where hatchctl runs. The low-level
// runtime wants a root inside as well: a subordinate id, which owns nothing; where
// the user has none, the user is root inside.
func (b *Box) ids(id uint32) []specs.LinuxIDMapping {
	if !b.Alone {
		return nil // the policy sets ids aside
	}
	all := []specs.LinuxIDMapping{{ContainerID: id, HostID: 0, Size: 1}}
	if id != 0 {
		all = append(all, specs.LinuxIDMapping{ContainerID: 0, HostID: 1, Size: 1})
	}
	return all
}

// cgroup is below the one that we are in where that was given to us: no other is
// ours to make one in.
func (b *Box) cgroup() string {
	switch {
	case !b.Alone:
		return "/hatchdog-box-" + b.ID
	case len(b.Held) > 0:
		return "hatchdog-box-" + b.ID
	}
	return ""
}

func (b *Box) holds(controller string) bool { return !b.Alone || slices.Contains(b.Held, controller) }

// Data is what each process may write to in memory, where no control group holds
// all of them (RLIMIT_DATA of getrlimit(2)); 0 is no limit. The first process sets
// it: a low-level runtime needs more than a command may.
func (b *Box) Data() uint64 {
	if b.holds("memory") || b.Limits.Memory <= 0 {
		return 0
	}
	most, ok := b.Most["RLIMIT_DATA"]
	if n := uint64(b.Limits.Memory); !ok || n < most {
		return n
	}
	return most
}

// rlimits stand in for the control groups that were not given to us: RLIMIT_NPROC
// counts the user's processes in this user namespace (since Linux 5.14).
func (b *Box) rlimits() []specs.POSIXRlimit {
	limit := func(kind string, soft, hard uint64) specs.POSIXRlimit {
		if most, ok := b.Most[kind]; ok {
			soft, hard = min(soft, most), min(hard, most)
		}
		return specs.POSIXRlimit{Type: kind, Soft: soft, Hard: hard}
	}
	all := []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}, limit("RLIMIT_NOFILE", 1024, 16384)}
	if n := b.Limits.Pids; n > 0 && !b.holds("pids") {
		all = append(all, limit("RLIMIT_NPROC", uint64(n), uint64(n)))
	}
	return all
}

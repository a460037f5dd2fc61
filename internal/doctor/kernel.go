package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// The first kernels that have what hatchdog uses: open_tree and move_mount
// (open_tree(2): 5.2), the mount id in statx (statx(2): 5.8), mount_setattr
// (mount_setattr(2): 5.12).
const (
	leastMajor, leastMinor   = 5, 8
	wantedMajor, wantedMinor = 5, 12
)

func kernel(h Host) Finding {
	f := Finding{Check: "kernel", Level: OK, Found: h.Kernel}
	var major, minor int
	if _, err := fmt.Sscanf(h.Kernel, "%d.%d", &major, &minor); err != nil {
		f.Level, f.Means, f.Remedy = Warn, "its version cannot be read", "see that it is 5.12 or newer"
		return f
	}
	at := func(x, y int) bool { return major > x || major == x && minor >= y }
	switch {
	case !at(leastMajor, leastMinor):
		f.Level, f.Means = Fail, "containers with bind mounts are refused: what a source leads to cannot be held"
	case !at(wantedMajor, wantedMinor):
		f.Level, f.Means = Warn, "no idmapped mounts and no recursive mount flags"
	}
	if f.Level != OK {
		f.Remedy = "use kernel 5.12 or newer"
	}
	return f
}

func lsms(h Host) Finding {
	f := Finding{Check: "security modules", Level: OK, Found: strings.Join(h.LSMs, ", ")}
	switch {
	case h.LSMs == nil:
		f.Level, f.Found = Warn, "cannot be told"
		f.Means, f.Remedy = "whether AppArmor or SELinux confine containers is not known", "mount -t securityfs securityfs /sys/kernel/security"
	case !slices.Contains(h.LSMs, "apparmor") && !slices.Contains(h.LSMs, "selinux"):
		f.Level = Warn
		f.Means = "no module confines what a container's root may open; every profile goes on without"
		f.Remedy = "boot with apparmor=1 security=apparmor, or use a distribution with SELinux"
	}
	return f
}

func controlGroups(h Host) Finding {
	f := Finding{Check: "control groups", Level: OK, Found: "version 1"}
	switch {
	case h.CgroupV2:
		f.Found = "version 2"
	case h.Hybrid:
		f.Found = "version 1, with version 2 beside it"
	}
	var missing []string
	for _, c := range []string{"cpu", "memory", "pids"} {
		if !slices.Contains(h.Controllers, c) {
			missing = append(missing, c)
		}
	}
	switch {
	case len(missing) > 0:
		f.Level, f.Found = Fail, f.Found+", without "+strings.Join(missing, ", ")
		f.Means = "a profile with a limit that needs it refuses: restricted and untrusted limit pids, untrusted memory and cpu"
		f.Remedy = "enable the controllers (cgroup_enable=memory, or systemd's delegation)"
	case !h.CgroupSwap:
		f.Level, f.Found = Warn, f.Found+", swap is not counted"
		f.Means = "a limit on swap cannot be held"
		f.Remedy = "boot with swapaccount=1, or have no swap"
	}
	return f
}

func userNamespaces(h Host) Finding {
	return answered(h.UserNamespaces, Finding{
		Check: "user namespaces", Found: "can be made",
		Means:  "root in a container is root on the host; untrusted refuses where it requires a user namespace",
		Remedy: "sysctl user.max_user_namespaces=65536",
	})
}

func idmap(h Host) Finding {
	f := Finding{Check: "mount_setattr", Level: OK, Found: "there"}
	if !h.MountSetattr {
		f.Level, f.Found = Warn, "missing"
		f.Means, f.Remedy = "mounts cannot be idmapped, nor made read-only with all below them", "use kernel 5.12 or newer"
	}
	return f
}

func nftables(h Host) Finding {
	return answered(h.Nftables, Finding{
		Check: "nftables", Found: "there",
		Means:  "a policy with egress or ingress rules refuses",
		Remedy: "modprobe nf_tables",
	})
}

// answered fills in a finding whose Found, Means and Remedy are given for yes,
// and for anything else.
func answered(a Answer, f Finding) Finding {
	switch {
	case a.Yes:
		return Finding{Check: f.Check, Level: OK, Found: f.Found}
	case a.Unknown != "":
		f.Found = "cannot be told: " + a.Unknown
	default:
		f.Found = "no"
	}
	f.Level = Warn
	return f
}

func seccomp(h Host) Finding {
	f := Finding{Check: "seccomp", Level: OK, Found: strings.Join(h.SeccompActions, " ")}
	if !slices.Contains(h.SeccompActions, "errno") {
		f.Level, f.Found = Fail, "no filters"
		f.Means, f.Remedy = "every container with a filter fails to start", "use a kernel with CONFIG_SECCOMP_FILTER"
	}
	return f
}

// weak names what the administrator has weakened, with the reason for it.
func weak(h Host) []Finding {
	all := make([]Finding, 0, len(h.Weak))
	for _, w := range h.Weak {
		f := Finding{Check: "policy", Level: Warn, Found: w.Setting + " at " + w.Where + ", because " + w.Because, Means: w.Means}
		if w.Because == "" {
			f.Found, f.Remedy = w.Setting+" at "+w.Where+", without a reason", "take it out, or write because: WHY beside it"
		}
		all = append(all, f)
	}
	return all
}

func policyFile(h Host) Finding {
	f := Finding{Check: "policy", Level: OK, Found: "can be read"}
	if h.Policy != nil {
		f.Level, f.Found = Fail, h.Policy.Error()
		f.Means, f.Remedy = "every container is refused", "mend it: hatchctl policy check FILE"
	}
	return f
}

package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Sandbox is what was found out about a host and a user, for boxes (hatchctl run).
type Sandbox struct {
	User           int // 0 is root
	UserNamespaces Answer
	// As /proc/sys has them; "" where the kernel has no such setting.
	Clone, Most, Restricted string
	Filtered                bool     // a filter of system calls is on this process
	Masked                  []string // what is mounted over parts of /proc
	Mappers                 []string // newuidmap and newgidmap, those that are missing
	SubordinateIDs          bool     // of users and of groups
	CgroupV2                bool
	Held                    []string // controllers that hold a box
	WayOut                  bool     // slirp4netns
	Tun                     error    // of opening /dev/net/tun
	Runtimes                []Runtime
	Place                   error // of the directories that boxes are kept in
	Policy                  error
}

// ExamineSandbox says what a box cannot be given here. A failure means that there
// is none, a warning that it has less.
func ExamineSandbox(s Sandbox) []Finding {
	all := []Finding{boxRuntime(s), policyFile(Host{Policy: s.Policy}), boxPlace(s), boxUserNamespace(s)}
	if s.User != 0 {
		all = append(all, boxProc(s), boxIDs(s))
	}
	return append(all, boxLimits(s), boxNetwork(s))
}

func boxRuntime(s Sandbox) Finding {
	f := Finding{Check: "low-level runtime", Level: Fail, Found: "none", Means: "no box is started", Remedy: "install runc 1.1.12 or newer, and have it on PATH: apt-get install runc"}
	for _, r := range s.Runtimes {
		if !r.Used {
			continue
		}
		f.Found = r.Name + " " + r.Version + " (" + r.Path + ")"
		if r.Err == nil {
			return Finding{Check: f.Check, Level: OK, Found: f.Found}
		}
		f.Means, f.Remedy = "no box is started: "+r.Err.Error(), "install a newer one, and have it first on PATH, or name it in the policy (runtime.path)"
	}
	return f
}

func boxPlace(s Sandbox) Finding {
	if s.Place == nil {
		return Finding{Check: "place of boxes", Level: OK, Found: "ours alone"}
	}
	return Finding{
		Check: "place of boxes", Level: Fail, Found: s.Place.Error(), Means: "no box is started",
		Remedy: "set XDG_RUNTIME_DIR to a directory that only you can write to, or give 'hatchctl run' one with --box-dir",
	}
}

func boxUserNamespace(s Sandbox) Finding {
	f := Finding{Check: "user namespaces", Level: OK, Found: "possible"}
	if s.UserNamespaces.Yes {
		return f
	}
	f.Level, f.Found, f.Means = Fail, "refused", "no box is started"
	switch {
	case s.Clone == "0" && s.User != 0:
		f.Found = "kernel.unprivileged_userns_clone is 0"
		f.Remedy = "as root: sysctl -w kernel.unprivileged_userns_clone=1"
	case s.Most == "0":
		f.Found = "user.max_user_namespaces is 0"
		f.Remedy = "as root: sysctl -w user.max_user_namespaces=15000"
	case s.Restricted == "1" && s.User != 0:
		f.Found = "kernel.apparmor_restrict_unprivileged_userns is 1, and no AppArmor profile lets hatchctl make one"
		f.Remedy = "as root: install the package of hatchdog, which has the profile, or: apparmor_parser -r /usr/share/hatchdog/apparmor/hatchctl"
	case s.Filtered:
		f.Found = "a filter of system calls refuses them, as in a container"
		f.Remedy = "start the outer container with another filter (docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined), or run hatchctl on the host"
	default:
		f.Remedy = "use a kernel with user namespaces (CONFIG_USER_NS)"
	}
	if s.User != 0 {
		f.Remedy += "; or: sudo hatchctl run"
	}
	return f
}

func boxProc(s Sandbox) Finding {
	if len(s.Masked) == 0 {
		return Finding{Check: "/proc", Level: OK, Found: "whole"}
	}
	return Finding{
		Check: "/proc", Level: Fail, Found: "mounts lie over parts of it (" + s.Masked[0] + "), as in a container",
		Means:  "no box is started: the kernel lets nobody mount a /proc in a user namespace that shows more than this one",
		Remedy: "start the outer container with --security-opt systempaths=unconfined (Docker, Podman) or procMount: Unmasked (Kubernetes), or take the mounts away: umount",
	}
}

func boxIDs(s Sandbox) Finding {
	f := Finding{Check: "subordinate ids", Level: Warn, Means: "the command is user 0 inside, and keeps your supplementary groups"}
	switch {
	case len(s.Mappers) > 0:
		f.Found, f.Remedy = "no "+strings.Join(s.Mappers, " and "), "as root: apt-get install uidmap"
	case !s.SubordinateIDs:
		f.Found = "none for this user in /etc/subuid and /etc/subgid"
		f.Remedy = "as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER (ids that nobody has)"
	default:
		return Finding{Check: f.Check, Level: OK, Found: "newuidmap and newgidmap give them"}
	}
	return f
}

func boxLimits(s Sandbox) Finding {
	f := Finding{Check: "limits", Level: OK, Found: "control groups"}
	var missing, means []string
	for _, c := range []struct{ name, means string }{
		{"pids", "--pids counts your processes in the box's user namespace (RLIMIT_NPROC)"}, {"memory", "--memory holds each process by itself (RLIMIT_DATA)"}, {"cpu", "--cpu is not held"},
	} {
		if !slices.Contains(s.Held, c.name) {
			missing, means = append(missing, c.name), append(means, c.means)
		}
	}
	switch {
	case len(missing) == 0:
		return f
	case s.User == 0:
		f.Level, f.Means, f.Remedy = Fail, "no box is started", "boot with the controllers on (cgroup_enable=memory)"
	default:
		f.Level, f.Means = Warn, strings.Join(means, "; ")
		f.Remedy = "start it below your own service manager, which has control groups to give: systemd-run --user --scope hatchctl run"
		if !s.CgroupV2 {
			f.Remedy = "boot with control groups of version 2 (systemd.unified_cgroup_hierarchy=1), or be put as root into one of each controller that you own"
		}
	}
	f.Found = fmt.Sprintf("no control group of yours has %s", strings.Join(missing, ", "))
	return f
}

// BoxNetwork is the check of a way out.
const BoxNetwork = "network"

func boxNetwork(s Sandbox) Finding {
	f := Finding{Check: BoxNetwork, Level: Warn, Means: "--allow is refused"}
	switch {
	case !s.WayOut:
		f.Found, f.Remedy = "no slirp4netns", "as root: apt-get install slirp4netns"
	case s.Tun != nil:
		f.Found, f.Remedy = s.Tun.Error(), "as root: chmod 0666 /dev/net/tun (udev does so), or give the outer container the device"
	default:
		return Finding{Check: f.Check, Level: OK, Found: "slirp4netns carries what --allow lists"}
	}
	return f
}

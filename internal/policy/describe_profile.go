package policy

// describeProfile says what a key of a profile means, for describe.
func describeProfile(key string) string { //nolint:funlen // a table, a line for each key
	switch key {
	case "Profile.because":
		return "why the profile holds containers to less (restore, others, apparmor.require, userns.mode); `hatchctl policy check` requires it"
	case "Profile.description":
		return "words for a reader"
	case "Profile.onExcess":
		return "by control: tighten takes away what the engine asked for beyond the profile, refuse does not start the container"
	case "Profile.unknownFields":
		return "fields of config.json that this version does not know: keep or refuse"
	case "Profile.others":
		return "admit: a container may be given what the records show to be another workload's own (its root file system, its control group, its namespaces); refuse: it may not"
	case "Profile.restore":
		return "whether a checkpoint may be restored, whose processes have the privileges that they had, whatever the spec says: refuse it, or admit those of a workload that you trust"
	case "Profile.capabilities":
		return "the ceiling of all five capability sets"
	case "Profile.privilege":
		return "attributes of the process that carry privilege"
	case "Profile.namespaces":
		return "which namespaces may be shared"
	case "Profile.mounts":
		return "what may be mounted, and which paths are closed"
	case "Profile.rootfs":
		return "the root file system"
	case "Profile.devices":
		return "devices beyond those that every container has"
	case "Profile.pids", "PidsRules.max":
		return "the highest number of processes"
	case "Profile.memory", "MemoryRules.max":
		return "the highest memory limit"
	case "MemoryRules.swap":
		return "the most swap beyond the memory limit"
	case "Profile.cpu", "CPURules.max":
		return "the highest number of CPUs"
	case "Profile.sysctls", "SysctlRules.allow":
		return "sysctls that may be set; an entry that ends in * is a prefix"
	case "Profile.hooks":
		return "hooks, which run as the host's root"
	case "Profile.annotations":
		return "annotations that the low-level runtime acts on"
	case "CapabilityRules.max":
		return "capabilities that a process may have"
	case "CapabilityRules.nonRoot":
		return "a process that is not root: ambient keeps only what its ambient set asks for, keep applies max alone"
	case "PrivilegeRules.noNewPrivileges":
		return "true: forced on"
	case "PrivilegeRules.oomScoreAdjMin":
		return "the lowest oomScoreAdj, -1000 to 1000"
	case "PrivilegeRules.umask":
		return "permission bits that are always masked"
	case "PrivilegeRules.deniedGids":
		return "additional groups that are taken away"
	case "PrivilegeRules.selinuxTypes":
		return "types of SELinux that a process may have; spc_t admits one without a label too"
	case "PrivilegeRules.rlimits":
		return "resource limits by name (getrlimit(2))"
	case "RlimitRule.max":
		return "the highest hard limit, in the limit's own unit"
	case "RlimitRule.force":
		return "true: set where the engine sets none"
	case "NamespaceRules.host":
		return "types that may stay the host's: pid, network, mount, ipc, uts, cgroup, time"
	case "NamespaceRules.join":
		return "types that may be joined by path where it is another container's"
	}
	return describeUserNS(key)
}

func describeUserNS(key string) string {
	switch key {
	case "Profile.userns", "UserNSRules.mode":
		return "a user namespace of the container's own: auto has one where that is possible and says why not, required starts nothing without, off has none"
	case "UserNSRules.size":
		return "how many ids of the host a container may have, in multiples of 65536"
	case "UserNSSize.min":
		return "how many ids each container has from 0 on, whatever it needs"
	case "UserNSSize.max":
		return "the most ids of a container that needs higher ones: 65536 more around each id of its process, its volumes and its image"
	case "UserNSRules.volumes":
		return "who owns the files of volumes in a user namespace"
	case "VolumeRules.default", "VolumeRule.mode":
		return "transparent: the same owners inside as on disk; shifted: the container's own ids on disk; ro: transparent and read-only; shifted-ro: shifted and read-only"
	case "VolumeRules.rules":
		return "by host path; the longest wins"
	case "VolumeRule.path":
		return "absolute path on the host, and all below it"
	}
	return describePlace(key)
}

func describePlace(key string) string { //nolint:funlen // a table, a line for each key
	switch key {
	case "MountRules.protect":
		return "host paths that a bind mount may not give, nor a path below or above one"
	case "MountRules.allow":
		return "exceptions to protect and sockets; the longest path wins. An exception for the very path of a mount opens it with all that is protected below. One with an element * (any name), or with {id}, {sandbox}, {pod} (the workload's own), {joined} (a container whose namespaces it joins) or {step} (any name, for a step of a build by BuildKit), opens itself alone"
	case "MountRules.sockets":
		return "true: sockets of the host may be mounted"
	case "MountRules.masked":
		return "paths of the container that are hidden; one with a * stands for those that the host has"
	case "MountRules.readOnly":
		return "paths of the container that are read-only"
	case "MountRules.visible":
		return "exceptions to masked and readOnly, for programs that cannot live without"
	case "MountRules.tmpOptions":
		return "options for file systems in memory on /tmp and its like"
	case "MountRules.writableOptions":
		return "options for bind mounts that the container may write to, with all that they bring along, and for file systems in memory: noexec, nosuid, nodev"
	case "MountRules.readOnlyAt":
		return "paths of the container whose bind mounts are read-only"
	case "MountRules.procOptions":
		return "options for /proc: hidepid=invisible shows no process of another user, hidepid=ptraceable only processes that the reader may trace"
	case "PathRule.path":
		return "absolute path"
	case "PathRule.access":
		return "none, ro or rw"
	case "PathRule.reason", "ReasonedPath.reason":
		return "why, for whoever is refused"
	case "ReasonedPath.path":
		return "absolute path in the container"
	case "RootFSRules.allow":
		return "where a root file system may be, beside the bundle and what is not protected; an element * stands for any one"
	case "RootFSRules.readOnly":
		return "true: forced read-only"
	case "RootFSRules.tmpfs":
		return "places that get a file system in memory with a copy of the image's files, where the root is made read-only"
	case "RootFSRules.tmpfsSize":
		return "the size of each of them; 0 is the kernel's, half of the memory"
	case "DeviceRules.allow":
		return "devices that may be given"
	case "DeviceRule.type":
		return "c or b"
	case "DeviceRule.major":
		return "its major number; any where it is not given"
	case "DeviceRule.minor":
		return "its minor number; any where it is not given"
	case "DeviceRule.access":
		return "the letters of what it may be used for: r (read), w (write), m (make the node)"
	case "HookRules.allow":
		return "executables by the path that they resolve to; only root may be able to change them"
	case "HookRules.env":
		return "environment variables that a hook may have, of those that the request gives it; an entry that ends in * is a prefix"
	case "HookRules.args":
		return "arguments that a hook may have beside its own name; an entry that ends in * is a prefix, and * alone is any"
	case "HookRules.dockerNetwork":
		return "true: Docker's own network hook is admitted, where it leads to the dockerd that runs"
	case "Profile.seccomp":
		return "which system calls may be made; a filter that the engine sets is cut down to them"
	case "SeccompRules.table":
		return "none (the engine's own filter stays), baseline (Docker's table), restricted or untrusted"
	case "SeccompRules.architectures":
		return "architectures beyond the host's own that may be called for, as in SCMP_ARCH_X86; others are killed"
	case "SeccompRules.allow":
		return "calls admitted beyond the table, whatever their arguments; what the engine's filter denies stays denied"
	case "SeccompRules.deny":
		return "calls that answer EPERM, whatever the table says"
	case "SeccompRules.listeners":
		return "sockets of supervisors that a filter may name (listenerPath), which the low-level runtime connects to as the host's root"
	case "SeccompRules.log":
		return "true: the kernel logs what is denied"
	case "AnnotationRules.strip":
		return "annotations that are taken away; an entry that ends in * is a prefix"
	}
	return describeApparmor(key)
}

func describeApparmor(key string) string {
	switch key {
	case "Profile.apparmor":
		return "the AppArmor profile that confines the container"
	case "ApparmorRules.profile":
		return "hatchdog-baseline, hatchdog-restricted, hatchdog-untrusted, or one of your own that is loaded"
	case "ApparmorRules.require":
		return "ifAvailable: where the host has AppArmor; always: refuse where it has none; never: leave what the engine set"
	case "ApparmorRules.onMissing":
		return "where the profile is not enforced and cannot be loaded: refuse, or continue with what the engine set and say so"
	case "ApparmorRules.keep":
		return "profiles that stay where the engine asks for them; a profile that is neither here nor known is refused"
	}
	return describePrevent(key)
}

func describePrevent(key string) string {
	switch key {
	case "Profile.prevent":
		return "what the kernel's guard (hatchctl guard load) denies the container while it runs; drift also by hatchctl watch, where there is none; docs/prevent.md"
	case "PreventRules.deny":
		return "drift: running what the image does not hold; mounts: mounting and unmounting; bpf; modules: asking for or loading modules of the kernel; ptrace: tasks of other containers"
	case "PreventRules.require":
		return "ifAvailable: where the guard is loaded; always: refuse where it is not; never: deny nothing"
	}
	return describeNetwork(key)
}

func describeNetwork(key string) string {
	switch key {
	case "Profile.egress":
		return "what the container may reach over the network; docs/egress.md has the entries and their order"
	case "Profile.ingress":
		return "who may reach the container over the network; answers to its own connections always pass"
	case "Profile.rate":
		return "how fast the container may send"
	case "EgressRules.default":
		return "allow or deny, for what no entry matches"
	case "EgressRules.allow":
		return "entries `TARGET[:PORTS][/PROTOCOL]` that may be reached, with TARGET an address, a group or, where default is deny, a name with its ports; `{name: NAME:PORTS, private: true}` lets the name stand for private addresses; the longest prefix of allow and deny wins"
	case "EgressRules.deny":
		return "entries that may not be reached; groups are metadata, link-local, host, private, internet, dns"
	case "EgressRules.names":
		return "how names that egress.allow has are looked up"
	case "NameRules.unlisted":
		return "the answer for a name that is not allowed: nxdomain, that there is none, or refused"
	case "IngressRules.default":
		return "allow or deny, for what no entry matches"
	case "IngressRules.allow":
		return "entries that may open connections to the container; the ports are the container's"
	case "RateRules.egress":
		return "the highest rate at which each of its interfaces sends"
	}
	return describeDetect(key)
}

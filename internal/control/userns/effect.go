package userns

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// right is what a capability stands for, and what beside it decides.
type right struct {
	name string
	// host is true where the kernel asks for it in the host's user namespace
	// (capable() in its source), so that one of the container's own has no effect.
	host bool
	what string
	call string // without this call it is nothing
}

// rights are the capabilities that something else than the policy's list can
// make worthless. The others are asked for in the user namespace that owns what
// is acted on. integration/capabilities_test.go tries each.
func rights() []right {
	return []right{
		{"CAP_AUDIT_CONTROL", true, "the audit rules, from the host's pid namespace alone", "socket"},
		{"CAP_AUDIT_READ", true, "the audit log", "socket"},
		{"CAP_AUDIT_WRITE", true, "audit records", "socket"},
		{"CAP_BLOCK_SUSPEND", true, "keeping the host awake", "epoll_ctl"},
		{"CAP_BPF", true, "BPF programs and maps", "bpf"},
		{"CAP_CHECKPOINT_RESTORE", false, "choosing the pid of a child", "clone3"},
		{"CAP_IPC_LOCK", true, "memory locked beyond RLIMIT_MEMLOCK", "mlock"},
		{"CAP_LEASE", true, "leases on the files of others", "fcntl"},
		{"CAP_LINUX_IMMUTABLE", true, "the immutable and append-only flags of files", "ioctl"},
		{"CAP_MAC_ADMIN", true, "the policy of a security module", ""},
		{"CAP_MAC_OVERRIDE", true, "exceptions of a security module", ""},
		{"CAP_MKNOD", true, "device nodes", "mknodat"},
		{"CAP_PERFMON", true, "performance events of the kernel", "perf_event_open"},
		{"CAP_SYSLOG", true, "the kernel's log", "syslog"},
		{"CAP_SYS_ADMIN", false, "mounts", "mount"},
		{"CAP_SYS_BOOT", false, "restarting the container", "reboot"},
		{"CAP_SYS_CHROOT", false, "another root directory", "chroot"},
		{"CAP_SYS_MODULE", true, "modules of the kernel", "init_module"},
		{"CAP_SYS_NICE", true, "higher priorities", "setpriority"},
		{"CAP_SYS_PACCT", true, "process accounting", "acct"},
		{"CAP_SYS_PTRACE", false, "tracing", "ptrace"},
		{"CAP_SYS_RAWIO", true, "ports and memory of the hardware", "iopl"},
		{"CAP_SYS_RESOURCE", true, "higher limits", "prlimit64"},
		{"CAP_SYS_TIME", true, "the host's clock", "adjtimex"},
		{"CAP_SYS_TTY_CONFIG", true, "hanging up terminals", "vhangup"},
		{"CAP_WAKE_ALARM", true, "timers that wake the host", "timerfd_create"},
	}
}

// withoutEffect tells of capabilities that the container is given and that
// something else makes worthless, and what else is needed.
func (c userns) withoutEffect(s *specs.Spec) []string {
	if s.Process == nil || s.Process.Capabilities == nil {
		return nil
	}
	var all []string
	remedy := "" // the engine's own user namespace is the engine's to leave out
	if given(s) && c.ours(s) {
		remedy = " (userns.mode: off)"
	}
	for _, r := range rights() {
		if !slices.Contains(s.Process.Capabilities.Bounding, r.name) {
			continue
		}
		var needs []string
		if r.host && given(s) {
			needs = append(needs, "the kernel takes it from the host's user namespace alone"+remedy)
		}
		if s.Linux != nil && r.call != "" && denies(s.Linux.Seccomp, r.call) {
			needs = append(needs, "the seccomp filter denies "+r.call+" (seccomp.allow, and the engine's own filter)")
		}
		if r.name == "CAP_AUDIT_CONTROL" && ownPIDs(s) {
			needs = append(needs, "the kernel takes it in the host's pid namespace alone")
		}
		if len(needs) > 0 {
			all = append(all, r.name+" ("+r.what+") is granted and has no effect: "+strings.Join(needs, "; "))
		}
	}
	return all
}

// peers tells of sockets of the host: who serves one and asks who is there
// (SO_PEERCRED, socket(7)) sees the host's ids.
func (c userns) peers(s *specs.Spec) []string {
	ids := c.facts.UserNS.Range
	if ids.Empty() || !c.ours(s) {
		return nil
	}
	var all []string
	for _, m := range s.Mounts {
		if src := c.facts.Sources[m.Source]; isBind(m) && src.Err == "" && src.Socket {
			all = append(all, fmt.Sprintf("mounts[%s]: a service that asks who its peer is sees root of this container as the user %d of the host; where it lets in only root or an account, set userns.mode to off",
				m.Destination, ids.Base))
		}
	}
	return all
}

// denies reports whether the call fails whatever it is called with.
func denies(f *specs.LinuxSeccomp, call string) bool {
	if f == nil {
		return false
	}
	passes := func(a specs.LinuxSeccompAction) bool {
		return !slices.Contains([]specs.LinuxSeccompAction{specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActKillThread, specs.ActTrap}, a)
	}
	ruled := false
	for _, r := range f.Syscalls {
		if !slices.Contains(r.Names, call) {
			continue
		}
		if passes(r.Action) {
			return false
		}
		ruled = ruled || len(r.Args) == 0
	}
	return ruled || !passes(f.DefaultAction)
}

func ownPIDs(s *specs.Spec) bool {
	return s.Linux != nil && slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.PIDNamespace })
}

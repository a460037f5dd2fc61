package why

// The flags of namespaces that want a capability, and the one that does not
// (uapi/linux/sched.h).
const (
	newNamespaces = 0x7e020080 &^ newUser
	newUser       = 0x10000000
)

// needed is the capability without which a call fails whatever its arguments, or
// with the arguments that are given (capabilities(7), namespaces(7), packet(7),
// raw(7)).
func needed(call Call) string {
	arg := func(i int) uint64 {
		if i < len(call.Args) {
			return call.Args[i]
		}
		return 0
	}
	const packet, kinds, raw = 17, 0xf, 3 // AF_PACKET, SOCK_TYPE_MASK, SOCK_RAW
	switch call.Name {
	case "chroot":
		return "CAP_SYS_CHROOT"
	case "clone", "unshare":
		if flags := arg(0); flags&newNamespaces != 0 && flags&newUser == 0 {
			return "CAP_SYS_ADMIN"
		}
	case "socket":
		inet := arg(0) == 2 || arg(0) == 10 // AF_INET, AF_INET6
		if arg(0) == packet || inet && arg(1)&kinds == raw {
			return "CAP_NET_RAW"
		}
	case "setns":
		if kind := arg(1); kind != 0 && kind&newUser == 0 {
			return "CAP_SYS_ADMIN"
		}
	case "mknod":
		if device(arg(1)) && arg(2) != 0 {
			return "CAP_MKNOD"
		}
	case "mknodat":
		if device(arg(2)) && arg(3) != 0 {
			return "CAP_MKNOD"
		}
	case "setgroups":
		return "CAP_SETGID"
	case "mount", "umount2", "mount_setattr", "fspick", "pivot_root", "sethostname", "setdomainname", "swapon", "swapoff", "fsopen", "fsmount", "move_mount":
		return "CAP_SYS_ADMIN"
	case "init_module", "finit_module", "delete_module":
		return "CAP_SYS_MODULE"
	case "reboot", "kexec_load", "kexec_file_load":
		return "CAP_SYS_BOOT"
	case "settimeofday", "stime", "clock_settime":
		return "CAP_SYS_TIME"
	case "acct":
		return "CAP_SYS_PACCT"
	case "iopl", "ioperm":
		return "CAP_SYS_RAWIO"
	case "vhangup":
		return "CAP_SYS_TTY_CONFIG"
	}
	return ""
}

// device is true for the mode of a device (inode(7)). One of number 0 is a
// whiteout, which wants no capability.
func device(mode uint64) bool {
	const kinds, character, block = 0xf000, 0x2000, 0x6000
	return mode&kinds == character || mode&kinds == block
}

// often is the capability without which most uses of a call fail.
func often(name string) string {
	switch name {
	case "setns", "fanotify_init", "quotactl", "quotactl_fd":
		return "CAP_SYS_ADMIN"
	case "bpf":
		return "CAP_BPF"
	case "perf_event_open":
		return "CAP_PERFMON"
	case "open_by_handle_at":
		return "CAP_DAC_READ_SEARCH"
	case "syslog":
		return "CAP_SYSLOG"
	}
	return ""
}

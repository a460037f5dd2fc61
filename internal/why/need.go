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
	case "mount", "umount2", "pivot_root", "sethostname", "setdomainname", "swapon", "swapoff", "fsopen", "fsmount", "move_mount":
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

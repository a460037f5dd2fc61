package seccomp

import "slices"

// Need is a call that a program does not run without.
type Need struct {
	Name string
	Args [6]uint64
	For  string // what it is for, where the name does not say
}

// The numbers of families and flags are those of linux/socket.h and linux/sched.h.
const (
	afUnix, afInet, afNetlink, afInet6 = 1, 2, 16, 10
	threadFlags                        = 0x3d0f00 // what C libraries make threads with
)

// MustHave are calls that each container's programs need, whatever they do: to
// start, to get memory, to make threads and processes, to open files and
// sockets. Where both a spec's filter and the table admit one, the result does,
// for each engine's default filter (internal/seccomp/proof).
func MustHave() []Need {
	out := []Need{
		{"socket", [6]uint64{afUnix, 1}, "of the family unix"},
		{"socket", [6]uint64{afInet, 1}, "of the family inet"},
		{"socket", [6]uint64{afInet, 1, 6}, "for TCP"},
		{"socket", [6]uint64{afInet, 0x80802, 17}, "for UDP"},
		{"socket", [6]uint64{afInet6, 1}, "of the family inet6"},
		{"socket", [6]uint64{afNetlink, 0x80003}, "for the list of interfaces"},
		{"socketpair", [6]uint64{afUnix, 1}, "of the family unix"},
		{"clone", [6]uint64{threadFlags}, "for a thread"},
		{"clone", [6]uint64{17}, "for a process"}, // SIGCHLD
		{"ioctl", [6]uint64{0, 0x5401}, "for a terminal"},
	}
	for _, name := range []string{
		"execve", "exit_group", "futex", "mmap", "munmap", "mprotect", "brk", "read", "write", "openat", "close", "newfstatat",
		"getdents64", "lseek", "pipe2", "fcntl", "wait4", "kill", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "getpid",
		"getuid", "setuid", "setgid", "setgroups", "getrandom", "clock_gettime", "nanosleep", "epoll_create1", "epoll_ctl",
		"epoll_pwait", "ppoll", "eventfd2", "connect", "bind", "listen", "accept4", "sendto", "recvfrom", "sendmsg", "recvmsg",
		"setsockopt", "getsockopt", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "sched_yield", "prctl",
	} {
		out = append(out, Need{Name: name})
	}
	return out
}

func (n Need) String() string {
	if n.For == "" {
		return n.Name
	}
	return n.Name + " " + n.For
}

// Loss is what two filters both allow and their intersection does not.
type Loss struct {
	Call string
	When Set // at most for these arguments
}

func (l Loss) String() string {
	if l.When.Always() {
		return l.Call
	}
	return l.Call + " if " + l.When.String()
}

// missing are the calls that programs do not run without, of those that were
// lost.
func missing(lost []Loss) []Need {
	if len(lost) == 0 {
		return nil
	}
	return slices.DeleteFunc(MustHave(), func(n Need) bool {
		return !slices.ContainsFunc(lost, func(l Loss) bool { return l.Call == n.Name && l.When.Holds(n.Args) })
	})
}

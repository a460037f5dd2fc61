package learn

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/moby/sys/capability"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/seccomp"
)

// siblings are calls of which C libraries and runtimes take now one and now
// another for the same thing.
func siblings() [][]string {
	return [][]string{
		{"open", "openat", "openat2", "creat"},
		{"read", "readv", "pread64", "preadv", "preadv2"},
		{"write", "writev", "pwrite64", "pwritev", "pwritev2"},
		{"stat", "lstat", "fstat", "newfstatat", "statx"},
		{"access", "faccessat", "faccessat2"},
		{"epoll_wait", "epoll_pwait", "epoll_pwait2"},
		{"epoll_create", "epoll_create1"},
		{"select", "pselect6", "poll", "ppoll"},
		{"dup", "dup2", "dup3"},
		{"pipe", "pipe2"},
		{"accept", "accept4"},
		{"send", "sendto", "sendmsg", "sendmmsg"},
		{"recv", "recvfrom", "recvmsg", "recvmmsg"},
		{"rename", "renameat", "renameat2"},
		{"mkdir", "mkdirat"},
		{"unlink", "unlinkat", "rmdir"},
		{"link", "linkat"},
		{"symlink", "symlinkat"},
		{"readlink", "readlinkat"},
		{"chmod", "fchmod", "fchmodat", "fchmodat2"},
		{"chown", "fchown", "lchown", "fchownat"},
		{"mknod", "mknodat"},
		{"utime", "utimes", "utimensat", "futimesat"},
		{"fork", "vfork", "clone"},
		{"wait4", "waitid"},
		{"kill", "tkill", "tgkill"},
		{"nanosleep", "clock_nanosleep"},
		{"truncate", "ftruncate"},
		{"fsync", "fdatasync", "sync_file_range"},
		{"getrlimit", "setrlimit", "prlimit64"},
		{"mmap", "munmap", "mremap", "mprotect", "madvise", "brk"},
		{"inotify_init", "inotify_init1"},
		{"eventfd", "eventfd2"},
		{"signalfd", "signalfd4"},
		{"sendfile", "splice", "copy_file_range"},
		{"getdents", "getdents64"},
		{"statfs", "fstatfs"},
		{"timer_create", "timer_settime", "timer_gettime", "timer_delete", "timer_getoverrun"},
		{"timerfd_create", "timerfd_settime", "timerfd_gettime"},
		{"getitimer", "setitimer", "alarm"},
		{"mlock", "mlock2", "munlock", "mlockall", "munlockall"},
		{"setuid", "setreuid", "setresuid", "setgid", "setregid", "setresgid", "setgroups"},
		{"shmget", "shmat", "shmctl", "shmdt"},
		{"semget", "semop", "semctl", "semtimedop"},
		{"io_setup", "io_submit", "io_getevents", "io_pgetevents", "io_cancel", "io_destroy"},
		{"sched_getaffinity", "sched_setaffinity"},
		{"getpriority", "setpriority"},
		{"mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr"},
	}
}

// always are calls that come with no warning: of the low-level runtime behind the
// filter, at the end of a program, at a signal, and those that libraries ask for
// and live without on ENOSYS alone.
func always() map[string]string {
	all := map[string]string{}
	for reason, names := range map[string]string{
		"margin: the low-level runtime makes it before the program":              "execve execveat close close_range futex write read openat newfstatat fstat fstatfs getdents64 fcntl prctl getppid getpid gettid readlinkat nanosleep sched_yield epoll_pwait epoll_ctl capget capset setuid setgid setgroups seccomp umask chdir fchdir",
		"margin: programs end, abort and are interrupted with it":                "exit exit_group restart_syscall rt_sigreturn rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigsuspend rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack tgkill kill pause wait4 waitid",
		"margin: C libraries ask for it, and fall back on ENOSYS alone":          "rseq set_robust_list get_robust_list set_tid_address membarrier getrandom statx faccessat2 fchmodat2 openat2 close_range pidfd_open pidfd_send_signal copy_file_range epoll_pwait2 futex_waitv memfd_create mseal clock_getres getcpu arch_prctl uretprobe sched_getaffinity landlock_create_ruleset cachestat",
		"margin: one of those that every program needs (its arguments are held)": "clone ioctl socketpair getrusage sysinfo uname getuid geteuid getgid getegid getgroups getresuid getresgid getcwd times time gettimeofday",
	} {
		for _, name := range strings.Fields(names) {
			all[name] = reason
		}
	}
	for _, n := range seccomp.MustHave() {
		if _, have := all[n.Name]; !have && n.Name != "socket" && !networks(n.Name) {
			all[n.Name] = "margin: one of those that every program needs"
		}
	}
	return all
}

// networks are needed by those who have a network: they are learned.
func networks(name string) bool {
	return slices.Contains([]string{"connect", "bind", "listen", "accept4", "sendto", "recvfrom", "sendmsg", "recvmsg", "setsockopt", "getsockopt"}, name)
}

// margins says for each call why it is admitted although nobody made it.
func margins(seen map[string]bool) map[string]string {
	all := always()
	for _, family := range siblings() {
		for _, name := range family {
			if !seen[name] {
				continue
			}
			for _, sibling := range family {
				if all[sibling] == "" {
					all[sibling] = "margin: it does what " + name + " does"
				}
			}
		}
	}
	return all
}

// limits have room above what was seen, and never above what the profile has.
func (p *Profile) limits(d *Data, ceiling *policy.Profile) {
	const mib = 1 << 20
	if d.Pids > 0 {
		p.Pids = d.Pids*2 + 16
		if most := ceiling.Pids.Max; most != nil {
			p.Pids = min(p.Pids, *most)
		}
	}
	if d.Memory > 0 {
		p.Memory = (d.Memory+d.Memory/2)/mib*mib + 64*mib
	}
	if d.Files > 0 {
		p.Files = max(d.Files*2, 1024)
		if most, have := ceiling.Privilege.Rlimits["RLIMIT_NOFILE"]; have && most.Max < 1<<31 {
			p.Files = min(p.Files, int64(most.Max)) //nolint:gosec // compared
		}
	}
}

func isCapability(name string) bool {
	return slices.ContainsFunc(capability.ListKnown(), func(c capability.Cap) bool { return "CAP_"+strings.ToUpper(c.String()) == name })
}

func sorted(t Table) []string { return slices.Sorted(maps.Keys(t)) }

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

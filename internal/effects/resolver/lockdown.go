package resolver

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nobody is the overflow id (kernel, sysctl kernel.overflowuid): it owns
// nothing.
const nobody = 65534

// lockDown gives up all that the loop does not need, for every thread, and cannot
// be undone. The process starts in a mount namespace of its own.
func lockDown(last int) error {
	runtime.LockOSThread()
	time.Sleep(time.Nanosecond) // Go's runtime makes what it waits on
	if err := closeInherited(last); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := emptyRoot(); err != nil {
		return fmt.Errorf("empty root: %w", err)
	}
	for _, limit := range []struct {
		which int
		most  uint64
	}{{unix.RLIMIT_CORE, 0}, {unix.RLIMIT_FSIZE, maxStatus}} {
		if err := unix.Setrlimit(limit.which, &unix.Rlimit{Cur: limit.most, Max: limit.most}); err != nil {
			return fmt.Errorf("limits: %w", err)
		}
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(nobody, nobody, nobody), syscall.Setresuid(nobody, nobody, nobody)); err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	if err := noCapabilities(); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("dumpable: %w", err)
	}
	if err := everyThread(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := landlock(); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	if err := filter(); err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

// closeInherited closes the descriptors from last on that came with the start of
// this process. Those that Go's runtime has made since are closed at an exec, and
// it ends without them.
func closeInherited(last int) error {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, f := range all {
		fd, err := strconv.Atoi(f.Name())
		if err != nil || fd < last {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// emptyRoot leaves an empty, read-only file system, and nothing of the host's
// pinned. pivot_root moves all threads.
func emptyRoot() error {
	const over = "/proc" // there is one on every host
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "") },
		func() error {
			return unix.Mount("tmpfs", over, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555")
		},
		func() error { return unix.Chdir(over) },
		func() error { return unix.PivotRoot(".", ".") },
		func() error { return unix.Unmount(".", unix.MNT_DETACH) },
		func() error { return unix.Chdir("/") },
		func() error {
			return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=4k,nr_inodes=2,mode=0555")
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

var errCapable = errors.New("some are left")

// noCapabilities sees to it that none is left: the kernel takes them from who is
// no longer root (capabilities(7)).
func noCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		return err
	}
	if have[0].Effective|have[0].Permitted|have[1].Effective|have[1].Permitted != 0 {
		return errCapable
	}
	return nil
}

// landlock handles every right on files that the first version knows, and grants
// none. A kernel without it leaves the empty root and the filter.
func landlock() error {
	attr := struct{ fs uint64 }{1<<13 - 1}
	fd, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if e == unix.ENOSYS || e == unix.EOPNOTSUPP {
		return nil
	}
	if e != 0 {
		return e
	}
	defer unix.Close(int(fd))
	return everyThread(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0)
}

// everyThread makes a call on all threads. It fails in a program with cgo.
func everyThread(call, a, b uintptr) error {
	_, _, e := syscall.AllThreadsSyscall6(call, a, b, 0, 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// calls are what the loop needs, and what Go's runtime does: memory, threads,
// signals, time. No call makes a socket, opens a file or starts a program.
func calls() []uint32 {
	return []uint32{
		unix.SYS_PPOLL, unix.SYS_RECVFROM, unix.SYS_SENDTO, unix.SYS_CONNECT, unix.SYS_ACCEPT4, unix.SYS_GETSOCKOPT, unix.SYS_READ, unix.SYS_WRITE,
		unix.SYS_CLOSE, unix.SYS_PWRITE64, unix.SYS_FTRUNCATE, unix.SYS_GETRANDOM,
		unix.SYS_FUTEX, unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_BRK, unix.SYS_SCHED_YIELD, unix.SYS_NANOSLEEP,
		unix.SYS_CLOCK_GETTIME, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_GETTIMEOFDAY, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGRETURN,
		unix.SYS_SIGALTSTACK, unix.SYS_GETPID, unix.SYS_GETTID, unix.SYS_TGKILL, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
		unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL, unix.SYS_RESTART_SYSCALL, unix.SYS_SCHED_GETAFFINITY, unix.SYS_SET_ROBUST_LIST, unix.SYS_RSEQ,
	}
}

// thread is what clone(2) must have: with it, a new process is none.
const thread = unix.CLONE_THREAD | unix.CLONE_VM | unix.CLONE_SIGHAND

// The numbers that a filter reads (kernel, seccomp.h, struct seccomp_data), and
// returns.
const (
	atCall, atArch, atFlags = 0, 4, 16
	allowed                 = 0x7fff0000 // SECCOMP_RET_ALLOW
	denied                  = 0x00050000 | uint32(unix.EPERM)
	killed                  = 0x80000000 // SECCOMP_RET_KILL_PROCESS
)

var errArch = errors.New("no filter for " + runtime.GOARCH)

// filter admits calls, on all threads.
func filter() error {
	arch := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if arch == 0 {
		return errArch
	}
	program := rules(arch)
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]} //nolint:gosec // a few
	// Every thread, or none (kernel, seccomp(2), SECCOMP_FILTER_FLAG_TSYNC).
	const setFilter, everyThread = 1, 1
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, setFilter, everyThread, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return e
	}
	return nil
}

func rules(arch uint32) []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	result := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	jump := func(op uint16, k uint32, yes, no uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, K: k, Jt: yes, Jf: no}
	}
	program := []unix.SockFilter{load(atArch), jump(unix.BPF_JEQ, arch, 1, 0), result(killed), load(atCall)}
	for _, nr := range calls() {
		program = append(program, jump(unix.BPF_JEQ, nr, 0, 1), result(allowed))
	}
	return append(program,
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 5),
		load(atFlags),
		unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: thread},
		jump(unix.BPF_JEQ, thread, 0, 1),
		result(allowed),
		result(denied),
		result(denied),
	)
}

func disconnect(fd int) error {
	_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&unspecified)), unsafe.Sizeof(unspecified))
	if e != 0 {
		return e
	}
	return nil
}

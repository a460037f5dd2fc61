//go:build !amd64 && !arm64

package host

import "golang.org/x/sys/unix"

// carrier forks without the Go runtime: the child makes system calls and
// nothing else, and never returns.
//
//go:norace
//go:nosplit
func carrier(flags, parent uintptr) (uintptr, unix.Errno) {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0, 0)
	for {
		// The parent may have died before it was to be told of.
		now, _, _ := unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		if now != parent {
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		_, _, _ = unix.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
}

//go:build amd64 || arm64

package lowlevel

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

// stay lets a process of its own write "0", which is the writer (cgroups(7)), into
// procs: the list of the control group that it is in. That process is nobody's
// child to wait for: whoever reaps orphans does. It runs on the memory of this
// one, makes system calls from registers alone, has every signal blocked, and
// closes what it inherits.
func stay(procs string) {
	runtime.LockOSThread() // whose signals are blocked meanwhile
	defer runtime.UnlockOSThread()
	fd, err := unix.Open(procs, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if fd < 1 || unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old) != nil {
		return
	}
	pid, errno := stayApart(uintptr(fd))
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	for errno == 0 {
		if _, err := unix.Wait4(int(pid), nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// stayApart starts a child that starts another and ends. The other closes all but
// fd, writes "0" there, and ends.
//
//go:noescape
func stayApart(fd uintptr) (pid, errno uintptr)

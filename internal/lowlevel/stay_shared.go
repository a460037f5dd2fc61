//go:build amd64 || arm64

package lowlevel

import (
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// stay lets a process of its own write "0", which is the writer (cgroups(7)), into
// procs: the list of the control group that it is in. That process is nobody's
// child to wait for: whoever reaps orphans does. It runs on the memory of this
// one, makes system calls from registers alone, has every signal blocked, and
// closes what it inherits.
func stay(procs string) {
	fd, err := unix.Open(procs, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if fd < 1 {
		return
	}
	pid, _ := host.CloneQuietly(func() (uintptr, unix.Errno) {
		pid, errno := stayApart(uintptr(fd))
		return pid, unix.Errno(errno)
	})
	if pid != 0 {
		host.Await(pid)
	}
}

// stayApart starts a child that starts another and ends. The other closes all but
// fd, writes "0" there, and ends.
//
//go:noescape
func stayApart(fd uintptr) (pid, errno uintptr)

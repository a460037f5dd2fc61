package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// UserNamespace makes a user namespace that maps the ids of a container to the
// range, and returns a descriptor that keeps it. No process is left in it: it
// carries the mapping for mount_setattr(2).
func UserNamespace(r IDRange) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := forkIntoUserNS()
	if err != nil {
		return -1, fmt.Errorf("user namespace: %w", err)
	}
	defer reap(pid)
	var lines strings.Builder
	for _, l := range r.Lines() {
		fmt.Fprintf(&lines, "%d %d %d\n", l.Inside, l.Outside, l.Size)
	}
	for _, name := range []string{"uid_map", "gid_map"} {
		file := fmt.Sprintf("/proc/%d/%s", pid, name)
		if err := writeOnce(file, lines.String()); err != nil {
			return -1, fmt.Errorf("user namespace: %w", err)
		}
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/user", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("user namespace: %w", err)
	}
	return fd, nil
}

// writeOnce writes a file of procfs that takes one write.
func writeOnce(file, text string) error {
	fd, err := unix.Open(file, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return &os.PathError{Op: "write", Path: file, Err: err}
	}
	return nil
}

// forkIntoUserNS starts a child in a new user namespace. It runs no program, shares no more than it must, and
// waits to be killed; it dies with this thread.
func forkIntoUserNS() (int, error) {
	pid, err := CloneQuietly(func() (uintptr, unix.Errno) {
		return carrier(unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), uintptr(unix.Getpid()))
	})
	if err != nil && pid != 0 {
		reap(pid)
	}
	return pid, err
}

// CloneQuietly starts a child by clone, which may share this process's memory, while
// every signal of the thread is blocked, as it stays in the child: no handler of
// ours may run there, which has one thread of many. With an error and a pid the
// child runs, and the thread's signals could not be let through again.
func CloneQuietly(clone func() (uintptr, unix.Errno)) (int, error) {
	runtime.LockOSThread() // whose signals are blocked meanwhile
	defer runtime.UnlockOSThread()
	var all, old unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return 0, err
	}
	pid, errno := clone()
	err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	if errno != 0 {
		return 0, errno
	}
	return int(pid), err
}

func reap(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	Await(pid)
}

// Await waits for the end of a child.
func Await(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

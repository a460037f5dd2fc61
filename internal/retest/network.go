package retest

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is a fresh network namespace, held open for the time of the test.
func Network(tb testing.TB) int {
	tb.Helper()
	made := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if unix.Unshare(unix.CLONE_NEWNET) != nil {
			made <- -1
			return
		}
		fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			fd = -1
		}
		made <- fd
	}()
	fd := <-made
	if fd < 0 {
		tb.Fatal("no network namespace")
	}
	tb.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

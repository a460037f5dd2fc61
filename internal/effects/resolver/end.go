package resolver

import (
	"time"

	"golang.org/x/sys/unix"
)

// endPatience is how long a resolver may take to end behind its container.
const endPatience = 2 * time.Second

// End waits for a resolver to end whose container has, and ends it if it does
// not. alive reports whether the process of that number is still it.
func End(pid int, alive func() bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil //nolint:nilerr // it is gone
	}
	defer unix.Close(fd)
	if !alive() {
		return nil
	}
	wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	if n, err := unix.Poll(wait, int(endPatience/time.Millisecond)); err == nil && n == 1 {
		return nil
	}
	return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
}

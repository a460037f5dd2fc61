package decision

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	// resolverLink names the process that looks the container's names up.
	resolverLink = "resolver"
	// resolverFile is what that process writes.
	resolverFile = "resolver.json"
)

// Resolver is the process that looks a container's names up.
type Resolver struct {
	Pid     int
	Started uint64 // in clock ticks after boot; a pid may come again
}

// KeepResolver notes it in a record's directory.
func KeepResolver(dir string, pid int) error {
	return writeLink(dir, resolverLink, fmt.Sprintf("%d:%d", pid, StartTime(pid)))
}

// ResolverOf reads it back; false where the container has none of its own.
func ResolverOf(dir string) (Resolver, bool) {
	var r Resolver
	text, err := os.Readlink(filepath.Join(dir, resolverLink))
	if err != nil {
		return r, false
	}
	n, err := fmt.Sscanf(text, "%d:%d", &r.Pid, &r.Started)
	return r, err == nil && n == 2 && r.Pid > 0
}

// Alive reports whether it runs. One that has ended and that nobody has waited
// for does not: its descriptor is readable (pidfd_open(2)).
func (r Resolver) Alive() bool {
	fd, err := unix.PidfdOpen(r.Pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor
	n, err := unix.Poll(wait, 0)
	return n == 0 && err == nil && r.Started != 0 && StartTime(r.Pid) == r.Started
}

// ResolverStatus is the file that the resolver of a record's container writes.
func ResolverStatus(dir string) string { return filepath.Join(dir, resolverFile) }

package firewall

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// Errors of a namespace that gets no rules.
var (
	ErrHost    = errors.New("it is the host's network namespace")
	ErrSwapped = errors.New("it is not the network namespace that was examined")
	ErrNone    = errors.New("it is not a network namespace")
)

// Open opens a network namespace that is not this process's own. want is what
// was found there before; the zero value takes what there is.
func Open(path string, want host.FileID) (int, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("network namespace %s: %w", path, err)
	}
	if err := examine(fd, want); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("network namespace %s: %w", path, err)
	}
	return fd, nil
}

func examine(fd int, want host.FileID) error {
	kind, err := unix.IoctlRetInt(fd, unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		return ErrNone
	}
	var st, own unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		return err
	}
	id := host.FileID{Dev: st.Dev, Ino: st.Ino}
	switch {
	case st.Dev == own.Dev && st.Ino == own.Ino:
		return ErrHost
	case want != host.FileID{} && want != id:
		return ErrSwapped
	}
	return nil
}

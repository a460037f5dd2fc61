package effects

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// Low-level runtimes make the container the owner of its standard streams, so that
// it can open them by name. crun does it before it enters a user namespace, whatever
// they are (crun 1.8.1, maybe_chown_std_streams): the host's own /dev/null belonged
// to a container then. runc does it inside (libcontainer, fixStdioPermissions), where
// the kernel refuses what is the host's; without a user namespace it does it too,
// except for /dev/null.

// Streams are the standard streams of a process under way, and who would get them.
type Streams struct {
	Runtime string // runc, crun
	Euid    int
	UserNS  bool
	IDs     host.IDRange // of the user namespace; empty where it is not ours
	User    uint32       // of the process, in the container
}

func (r Request) streams() Streams {
	s := Streams{Runtime: r.Facts.Runtime.Name, Euid: r.Facts.Euid, UserNS: hasUserNS(r.Spec), IDs: r.IDs}
	if r.Spec.Process != nil {
		s.User = r.Spec.Process.User.UID
	}
	return s
}

// ErrGiven is a standard stream that a container must not own.
var ErrGiven = errors.New("the low-level runtime would make the container its owner, who may change its mode and what is in it; give a pipe instead (... | cat >FILE)")

// Keep sees to it that what is the host's stays so. It puts nodes of this process's
// own in the place of devices without state, as /dev/null, and refuses files, folders
// and other devices. Pipes, sockets and terminals may be given.
func (s Streams) Keep() error {
	if !s.gives() {
		return nil
	}
	if err := ownDevices([]int{0, 1, 2}, s.Runtime == "runc"); err != nil {
		return err
	}
	for fd := range 3 {
		if err := s.keep(fd); err != nil {
			return fmt.Errorf("standard stream %d: %w", fd, err)
		}
	}
	return nil
}

// gives reports whether the host's files can come to belong to the container.
// Without root nobody can give them away.
func (s Streams) gives() bool {
	switch {
	case s.Euid != 0:
		return false
	case s.UserNS:
		return s.Runtime != "runc"
	}
	return s.User != 0
}

func (s Streams) keep(fd int) error {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return nil // closed
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if st.Nlink == 0 || s.owns(st.Uid) { // nobody else has it
			return nil
		}
	case unix.S_IFCHR:
		if stateless(&st) || isTerminal(fd) {
			return nil
		}
	case unix.S_IFDIR, unix.S_IFBLK:
	default:
		return nil
	}
	return ErrGiven
}

// owns reports whether a user is the container's.
func (s Streams) owns(uid uint32) bool {
	if s.UserNS {
		return !s.IDs.Empty() && uid >= s.IDs.Base && uid-s.IDs.Base < s.IDs.Size
	}
	return uid == s.User
}

func isTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

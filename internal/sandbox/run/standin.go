package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// marks are the attributes of a stand-in, the first that can be set: what has one
// was made for a box, and goes with the last box that needs it.
var marks = []string{"trusted.hatchdog.standin", "user.hatchdog.standin"}

// standin is an empty file or directory where a kept one is not there yet, so
// that there is something to mount on, read-only. Who needs it holds a shared
// lock on it: the kernel takes a mount away with what it is mounted on.
type standin struct {
	path string
	file *os.File
}

var errStandin = errors.New("it comes and goes; is something else at work there?")

// standFor makes what is missing of the kept paths, and holds what others made.
func standFor(b *sandbox.Box) ([]standin, error) {
	var all []standin
	for _, k := range b.Found.Kept {
		k.Path = b.Host(k.Path)
		if !k.Missing && !marked(k.Path) {
			continue
		}
		s, err := hold(k)
		if err != nil {
			return all, errors.Join(fmt.Errorf("%s: %w", k.Path, err), dropAll(all))
		}
		all = append(all, s)
	}
	return all, nil
}

func marked(path string) bool {
	for _, m := range marks {
		if _, err := unix.Lgetxattr(path, m, nil); err == nil {
			return true
		}
	}
	return false
}

func hold(k sandbox.Closed) (standin, error) {
	parent, err := os.OpenRoot(filepath.Dir(k.Path))
	if err != nil {
		return standin{}, err
	}
	defer parent.Close()
	name := filepath.Base(k.Path)
	for range 5 {
		if k.Missing {
			if err := create(parent, name, k.Dir); err != nil && !errors.Is(err, fs.ErrExist) {
				return standin{}, err
			}
		}
		f, err := os.OpenFile(k.Path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return standin{}, err
		}
		s := standin{k.Path, f}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil && s.there() {
			return s, nil
		}
		f.Close()
	}
	return standin{}, errStandin
}

// create makes it as its directory's owner would.
func create(parent *os.Root, name string, dir bool) error {
	if dir {
		if err := parent.Mkdir(name, 0o755); err != nil {
			return err
		}
	} else {
		f, err := parent.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		f.Close()
	}
	f, err := parent.OpenFile(name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	at, err := parent.Open(".")
	if err != nil {
		return err
	}
	defer at.Close()
	if err := unix.Fstat(int(at.Fd()), &st); err != nil {
		return err
	}
	for _, m := range marks {
		if unix.Fsetxattr(int(f.Fd()), m, []byte("1"), 0) == nil {
			break
		}
	}
	if os.Geteuid() == 0 {
		return unix.Fchown(int(f.Fd()), int(st.Uid), int(st.Gid))
	}
	return nil
}

// there reports whether the path still leads to what is held.
func (s standin) there() bool {
	held, err := s.file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(s.path)
	return err == nil && os.SameFile(held, now)
}

// drop takes it away, if it is still empty and no other box needs it.
func (s standin) drop() error {
	defer s.file.Close()
	if unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !s.there() || !marked(s.path) {
		return nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	flags := 0
	if info.IsDir() {
		flags = unix.AT_REMOVEDIR // an empty one alone
	} else if info.Size() > 0 {
		return nil
	}
	err = unix.Unlinkat(unix.AT_FDCWD, s.path, flags)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func dropAll(all []standin) error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.drop())
	}
	return errors.Join(errs...)
}

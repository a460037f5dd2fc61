package run

import (
	"encoding/json"
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
	parent *os.File // of the directory, which another may move meanwhile
	name   string
	file   *os.File
	text   string // that is in it
}

var errStandin = errors.New("it comes and goes; is something else at work there?")

// standins is the list of them in a bundle, for who comes after a run that was
// killed.
const standins = "standins.json"

// standFor makes what is missing of the kept paths, and holds what others made.
// The list is written first.
func standFor(p *place, b *sandbox.Box) ([]standin, error) {
	var need []sandbox.Closed
	for _, k := range b.Found.Kept {
		k.Path = b.Host(k.Path)
		if k.Missing || marked(k.Path) {
			need = append(need, k)
		}
	}
	list, err := json.Marshal(need)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(p.path(standins), list, 0o600); err != nil {
		return nil, err
	}
	var all []standin
	for _, k := range need {
		s, err := hold(k)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", k.Path, err), dropAll(all))
		}
		all = append(all, s)
	}
	return all, nil
}

// dropListed takes away what a run left whose process was killed.
func dropListed(p *place) error {
	data, err := os.ReadFile(p.path(standins))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it did not come so far
	}
	var list []sandbox.Closed
	if err := errors.Join(err, json.Unmarshal(data, &list)); err != nil {
		return err
	}
	var errs []error
	for _, k := range list {
		s, err := find(k)
		if err == nil {
			err = s.drop()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", k.Path, err))
		}
	}
	return errors.Join(errs...)
}

func marked(path string) bool {
	for _, m := range marks {
		if _, err := unix.Lgetxattr(path, m, nil); err == nil {
			return true
		}
	}
	return false
}

// openDir opens a directory to which no link leads: where a search found none,
// somebody could have put one since.
func openDir(path string) (*os.File, error) {
	fd, err := unix.Openat2(unix.AT_FDCWD, path, &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func find(k sandbox.Closed) (standin, error) {
	parent, err := openDir(filepath.Dir(k.Path))
	if err != nil {
		return standin{}, err
	}
	s := standin{parent: parent, name: filepath.Base(k.Path), text: k.Text}
	if err := s.open(); err != nil {
		return standin{}, errors.Join(err, parent.Close())
	}
	return s, nil
}

func (s *standin) open() error {
	fd, err := unix.Openat(int(s.parent.Fd()), s.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.file = os.NewFile(uintptr(fd), s.name)
	return nil
}

func hold(k sandbox.Closed) (standin, error) {
	parent, err := openDir(filepath.Dir(k.Path))
	if err != nil {
		return standin{}, err
	}
	s := standin{parent: parent, name: filepath.Base(k.Path), text: k.Text}
	for range 5 {
		if k.Missing {
			if err := create(int(parent.Fd()), s.name, k); err != nil && !errors.Is(err, fs.ErrExist) {
				return s, errors.Join(err, parent.Close())
			}
		}
		err := s.open()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, errors.Join(err, parent.Close())
		}
		if err := unix.Flock(int(s.file.Fd()), unix.LOCK_SH|unix.LOCK_NB); err == nil && s.there() {
			return s, nil
		}
		s.file.Close()
	}
	return s, errors.Join(errStandin, parent.Close())
}

// create makes it as its directory's owner would.
func create(parent int, name string, k sandbox.Closed) error {
	how := unix.O_NOFOLLOW | unix.O_CLOEXEC
	if k.Dir {
		if err := unix.Mkdirat(parent, name, 0o755); err != nil {
			return err
		}
		how |= unix.O_DIRECTORY
	} else {
		how |= unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL
	}
	fd, err := unix.Openat(parent, name, how, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st, at unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstat(parent, &at)); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() {
		return errStandin // another's, in the place of the one that was made
	}
	if _, err := unix.Write(fd, []byte(k.Text)); !k.Dir && err != nil {
		return err
	}
	for _, m := range marks {
		if unix.Fsetxattr(fd, m, []byte("1"), 0) == nil {
			break
		}
	}
	if os.Geteuid() == 0 {
		return unix.Fchown(fd, int(at.Uid), int(at.Gid))
	}
	return nil
}

// there reports whether the name still leads to what is held.
func (s standin) there() bool {
	var held, now unix.Stat_t
	err := errors.Join(unix.Fstat(int(s.file.Fd()), &held), unix.Fstatat(int(s.parent.Fd()), s.name, &now, unix.AT_SYMLINK_NOFOLLOW))
	return err == nil && held.Ino == now.Ino && held.Dev == now.Dev
}

func (s standin) marked() bool {
	for _, m := range marks {
		if _, err := unix.Fgetxattr(int(s.file.Fd()), m, nil); err == nil {
			return true
		}
	}
	return false
}

// drop takes it away, if nothing was put into it and no other box needs it.
func (s standin) drop() error {
	defer s.parent.Close()
	defer s.file.Close()
	if !s.marked() || unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !s.there() {
		return nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	flags := 0
	if info.IsDir() {
		flags = unix.AT_REMOVEDIR // an empty one alone
	} else if n := info.Size(); n != 0 && n != int64(len(s.text)) {
		return nil
	}
	err = unix.Unlinkat(int(s.parent.Fd()), s.name, flags)
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

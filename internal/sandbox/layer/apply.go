package layer

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors of Apply.
var (
	ErrConflict = errors.New("it is not as it was when the command began")
	ErrMarked   = errors.New("the host runs or believes it, or it leads out of the directory")
)

// resolve is how a path of the directory is opened: nothing leads out of it, and
// no link is followed.
const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// Apply writes the changes into the directory. It looks at all of them first: if
// one path is not as it was, or one is marked and marked is false, nothing is
// written.
func (l *Layer) Apply(changes []Change, marked bool) error {
	root, err := unix.Open(l.Dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", l.Dir, err)
	}
	defer unix.Close(root)
	if err := l.check(root, changes, marked); err != nil {
		return err
	}
	a := applying{l: l, root: root}
	// Removals come first, from the inside; then additions, from the outside.
	for i := len(changes) - 1; i >= 0; i-- {
		c := changes[i]
		if c.What == Removed || c.What == Modified && word(c.was.From.Mode) != c.Kind {
			if err := a.in(c.Path, func(dir int, name string) error { return remove(dir, name, c.was) }); err != nil {
				return err
			}
		}
	}
	for _, c := range changes {
		if c.What == Removed || c.Path == "." {
			continue
		}
		if err := a.in(c.Path, func(dir int, name string) error { return a.put(dir, name, c) }); err != nil {
			return err
		}
	}
	return nil
}

// check reports each change that cannot be applied.
func (l *Layer) check(root int, changes []Change, marked bool) error {
	var st unix.Stat_t
	if err := unix.Fstat(root, &st); err != nil {
		return err
	}
	var errs []error
	if len(l.Entries) > 0 && (st.Ino != l.Entries[0].From.Ino || st.Dev != l.Entries[0].From.Dev) {
		errs = append(errs, fmt.Errorf("%s: %w", l.Dir, ErrConflict))
	}
	fresh := map[string]bool{} // directories that are not there yet
	for _, c := range changes {
		if c.Marked != "" && !marked {
			errs = append(errs, fmt.Errorf("%s: %w: %s", c.Path, ErrMarked, c.Marked))
		}
		if c.Kind == "directory" && (c.What == Added || c.was != nil && word(c.was.From.Mode) != c.Kind) {
			fresh[c.Path] = true
		}
		if c.What == Added && fresh[filepath.Dir(c.Path)] {
			continue
		}
		err := applying{l, root}.in(c.Path, func(dir int, name string) error { return checkOne(dir, name, c) })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func checkOne(dir int, name string, c Change) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) && c.What == Added {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	if c.was == nil {
		return ErrConflict
	}
	now, was := stateOf(&st), c.was.From
	if kind(was.Mode) == unix.S_IFDIR && kind(now.Mode) == unix.S_IFDIR && now.Ino == was.Ino || now == was {
		return nil
	}
	return ErrConflict
}

type applying struct {
	l    *Layer
	root int
}

// in opens the directory that a path lies in, as it is now.
func (a applying) in(p string, do func(dir int, name string) error) error {
	dir := a.root
	if parent := filepath.Dir(p); parent != "." {
		fd, err := unix.Openat2(a.root, parent, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: resolve})
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		defer unix.Close(fd)
		dir = fd
	}
	if err := do(dir, filepath.Base(p)); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}

func remove(dir int, name string, was *entry) error {
	flags := 0
	if kind(was.From.Mode) == unix.S_IFDIR {
		flags = unix.AT_REMOVEDIR
	}
	return unix.Unlinkat(dir, name, flags)
}

// put makes a path as it is in the copy. A file takes the place of another at
// once.
func (a applying) put(dir int, name string, c Change) error {
	at := filepath.Join(a.l.Tree(), c.Path)
	var st unix.Stat_t
	if err := unix.Lstat(at, &st); err != nil {
		return err
	}
	own := func(name string) error {
		return unix.Fchownat(dir, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	if c.Kind == "directory" {
		if err := unix.Mkdirat(dir, name, 0o700); err != nil && (c.What == Added || !errors.Is(err, unix.EEXIST)) {
			return err
		}
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return errors.Join(unix.Fchown(fd, int(st.Uid), int(st.Gid)), unix.Fchmod(fd, st.Mode&0o777))
	}
	var some [8]byte
	if _, err := rand.Read(some[:]); err != nil {
		return err
	}
	fresh := ".hatchctl-" + hex.EncodeToString(some[:])
	var err error
	if c.Kind == "link" {
		err = errors.Join(unix.Symlinkat(c.To, dir, fresh), own(fresh))
	} else {
		err = write(at, dir, fresh, &st)
	}
	if err == nil {
		err = unix.Renameat(dir, fresh, dir, name)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, fresh, 0)
	}
	return err
}

func write(from string, dir int, name string, st *unix.Stat_t) error {
	in, err := os.OpenFile(from, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(fd), strings.ToValidUTF8(name, "?"))
	_, err = io.Copy(out, in)
	return errors.Join(err, unix.Fchown(fd, int(st.Uid), int(st.Gid)), unix.Fchmod(fd, st.Mode&0o777), out.Sync(), out.Close())
}

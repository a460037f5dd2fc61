package layer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// Copy copies a directory into a layer of the run: what skip names is left out,
// with all below it.
func Copy(base, name string, number int, dir string, skip func(path string) bool) (*Layer, error) {
	l := &Layer{Dir: dir, Name: name, at: filepath.Join(base, name, strconv.Itoa(number))}
	// No other user passes through: the directory may lie where they do not.
	if err := os.MkdirAll(l.at, 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(l.Tree(), 0o700); err != nil {
		return nil, err
	}
	from, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	to, err := os.OpenRoot(l.Tree())
	if err != nil {
		return nil, err
	}
	defer to.Close()
	c := copying{l: l, from: from, to: to}
	if err = c.one(".", true, 0); err == nil {
		err = sandbox.Walk(from, func(name string, d fs.DirEntry) error {
			if skip(filepath.Join(dir, name)) {
				return fs.SkipDir
			}
			if err := c.one(name, d.IsDir(), d.Type()); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	if err == nil {
		err = c.settle()
	}
	return l, errors.Join(err, l.save())
}

type copying struct {
	l        *Layer
	from, to *os.Root
	bytes    int64
}

func (c *copying) one(name string, dir bool, mode fs.FileMode) error {
	if len(c.l.Entries) >= maxEntries || c.bytes > maxBytes {
		return ErrTooLarge
	}
	var st unix.Stat_t
	var err error
	switch {
	case dir:
		st, err = c.dir(name)
	case mode.IsRegular():
		st, err = c.file(name)
	case mode&fs.ModeSymlink != 0:
		st, err = c.link(name)
	default:
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		c.l.Entries = append(c.l.Entries, entry{Name: []byte(name), From: stateOf(&st)})
	}
	return err
}

// dir gets its mode when all below it is there.
func (c *copying) dir(name string) (st unix.Stat_t, err error) {
	f, err := c.from.Open(name)
	if err != nil {
		return st, err
	}
	defer f.Close()
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || name == "." {
		return st, err
	}
	return st, c.to.Mkdir(name, 0o700)
}

func (c *copying) link(name string) (st unix.Stat_t, err error) {
	to, err := c.from.Readlink(name)
	if err != nil {
		return st, err
	}
	if err := unix.Lstat(filepath.Join(c.l.Dir, name), &st); err != nil {
		return st, err
	}
	if err := c.to.Symlink(to, name); err != nil {
		return st, err
	}
	return st, c.to.Lchown(name, int(st.Uid), int(st.Gid))
}

func (c *copying) file(name string) (st unix.Stat_t, err error) {
	in, err := c.from.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return st, err
	}
	defer in.Close()
	if err := unix.Fstat(int(in.Fd()), &st); err != nil {
		return st, err
	}
	if kind(st.Mode) != unix.S_IFREG {
		return st, fs.ErrNotExist // another than was listed
	}
	out, err := c.to.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return st, err
	}
	defer out.Close()
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) != nil {
		n, err := io.Copy(out, io.LimitReader(in, maxBytes-c.bytes+1))
		if c.bytes += n; err != nil {
			return st, err
		}
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	return st, errors.Join(
		unix.Fchown(int(out.Fd()), int(st.Uid), int(st.Gid)),
		unix.Fchmod(int(out.Fd()), st.Mode&0o777),
		unix.UtimesNanoAt(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(int(out.Fd())), times, 0))
}

// settle gives directories what they had, the inner ones first, and notes how
// the copy is.
func (c *copying) settle() error {
	for i := len(c.l.Entries) - 1; i >= 0; i-- {
		e := &c.l.Entries[i]
		at := filepath.Join(c.l.Tree(), string(e.Name))
		if kind(e.From.Mode) == unix.S_IFDIR {
			var st unix.Stat_t
			if err := unix.Lstat(filepath.Join(c.l.Dir, string(e.Name)), &st); err != nil {
				return err
			}
			if err := errors.Join(unix.Lchown(at, int(st.Uid), int(st.Gid)), unix.Chmod(at, st.Mode&0o777)); err != nil {
				return err
			}
		}
		var st unix.Stat_t
		if err := unix.Lstat(at, &st); err != nil {
			return err
		}
		e.Copy = stateOf(&st)
	}
	return nil
}

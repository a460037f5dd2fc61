package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// rotate moves the segments up by one and begins a new one. The new one is locked
// before it has a name, so a writer that waited for the old one finds it with our
// line in it.
func (l *log) rotate(keep int, last mark) error {
	fresh := l.path + ".new"
	_ = os.Remove(fresh) // of a rotation that was cut off
	f, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: rotate: %w", err)
	}
	if err := lock(f, unix.LOCK_EX); err != nil {
		_ = f.Close()
		return err
	}
	err = l.drop(keep, last)
	if err == nil {
		err = l.shift(keep)
	}
	if err == nil {
		err = os.Rename(fresh, l.path)
	}
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("audit log: rotate: %w", err)
	}
	_ = l.file.Close()
	l.file, l.size = f, 0
	return nil
}

// drop notes the last line of the segment that is about to go, before it goes:
// what follows it is chained to that. last is the last line of the current one.
func (l *log) drop(keep int, last mark) error {
	if keep > 0 {
		f, err := os.OpenFile(segment(l.path, keep), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := check(f)
		if err != nil {
			return err
		}
		if same(l.path, segment(l.path, keep)) {
			return nil // a rotation that was cut off: it stays
		}
		t, err := readTail(f, st.Size, mark{})
		if err != nil {
			return err
		}
		last = t.mark
	}
	if last.seq == 0 {
		return nil // not a line of ours: Verify has named it
	}
	return writeMark(droppedFile(l.path), last)
}

// shift makes the current segment the first closed one. It keeps its own name
// as well until the new one takes it: there is no moment without a log.
func (l *log) shift(keep int) error {
	if keep == 0 || same(l.path, segment(l.path, 1)) {
		return nil
	}
	if err := os.Remove(segment(l.path, keep)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for n := keep - 1; n > 0; n-- {
		err := os.Rename(segment(l.path, n), segment(l.path, n+1))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Link(l.path, segment(l.path, 1))
}

// same reports whether two names lead to one file, as they do where a rotation
// was cut off.
func same(a, b string) bool {
	x, err1 := os.Lstat(a)
	y, err2 := os.Lstat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// segment names the nth closed segment; 0 is the current one.
func segment(path string, n int) string {
	if n == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, n)
}

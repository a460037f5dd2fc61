package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// mark is a file that says when the watch was there the last time. Its lock is held
// by the watch.
type mark struct {
	file *os.File
	last time.Time // the zero value: never before
}

// markName is no directory: it is no record.
const markName = "@watch"

func (o *options) openMark() (*mark, error) {
	base := o.store().Base
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(base, markName), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errWatched
		}
		return nil, err
	}
	m := &mark{file: f}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		m.last = info.ModTime()
	}
	m.touch()
	return m, nil
}

func (m *mark) touch() {
	_, _ = m.file.WriteAt([]byte("watched\n"), 0) // its time is what counts
}

func (m *mark) close() { _ = m.file.Close() }

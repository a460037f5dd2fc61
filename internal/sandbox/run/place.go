package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// place is the bundle of one run, which is its own as long as it holds the lock.
type place struct {
	dir  string
	lock *os.File
}

func newPlace(base, id string) (*place, error) {
	all, err := lockAll(base)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	p := &place{dir: filepath.Join(base, id)}
	if err := os.Mkdir(p.dir, 0o711); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("a run has the name %s already", id)
		}
		return nil, err
	}
	lock, err := os.Open(p.dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	p.lock = lock
	return p, nil
}

// lockAll keeps others from looking for bundles without a lock while one is made
// that has none yet. It ends when the file is closed.
func lockAll(base string) (*os.File, error) {
	f, err := os.Open(base)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
	}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// remove takes the bundle away. Nothing of it is mounted on the host.
func (p *place) remove() error {
	defer p.lock.Close()
	return os.RemoveAll(p.dir)
}

// there reports whether the bundle is still where it was opened: its own run may have
// taken it away since, and let go of the lock then.
func (p *place) there() bool {
	opened, err := p.lock.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(p.dir)
	return err == nil && os.SameFile(opened, now)
}

// left are runs that ended without taking their bundle away: their lock is free.
func left(base string) []*place {
	lock, err := lockAll(base)
	if err != nil {
		return nil // nobody has run anything
	}
	defer lock.Close()
	entries, err := os.ReadDir(base)
	if err != nil {
		return nil
	}
	var all []*place
	for _, e := range entries {
		p := &place{dir: filepath.Join(base, e.Name())}
		if p.lock, err = os.Open(p.dir); err != nil {
			continue
		}
		if unix.Flock(int(p.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || !p.there() {
			p.lock.Close()
			continue
		}
		all = append(all, p)
	}
	return all
}

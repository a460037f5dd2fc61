package effects

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

// errMoved is a bundle whose path leads elsewhere than when it was opened.
var errMoved = errors.New("its path leads to another folder than it did")

// Cover lets the low-level runtime find doc as the spec of the bundle: a file in
// the private mount namespace is mounted over it. On the host the bundle stays as
// it is. It may be called where Base is not "" and the bundle is steady.
func (a *Acquired) Cover(b *bundle.Bundle, doc []byte) error {
	if err := a.cover(b, doc); err != nil {
		return fmt.Errorf("bundle %s: %s: %w", b.Dir(), bundle.Config, err)
	}
	return nil
}

func (a *Acquired) cover(b *bundle.Bundle, doc []byte) error {
	file := filepath.Join(a.base, bundle.Config)
	own, err := writeAs(file, b, doc)
	if err != nil {
		return err
	}
	// The descriptor of the bundle is one of the host's mounts. The folder is
	// opened again among our own.
	dir, err := unix.Open(b.Dir(), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if same, err := b.Is(dir); err != nil || !same {
		return errors.Join(err, errMoved)
	}
	if err := unix.Mount(file, fmt.Sprintf("/proc/thread-self/fd/%d/%s", dir, bundle.Config), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	var found unix.Stat_t
	if err := unix.Lstat(filepath.Join(b.Dir(), bundle.Config), &found); err != nil {
		return err
	}
	if found.Dev != own.Dev || found.Ino != own.Ino {
		return errMoved
	}
	return nil
}

// writeAs writes the document with the mode and the owner of the bundle's.
func writeAs(file string, b *bundle.Bundle, doc []byte) (*unix.Stat_t, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Write(doc); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	uid, gid, mode := b.Owner()
	if err := errors.Join(unix.Fchown(int(f.Fd()), uid, gid), unix.Fchmod(int(f.Fd()), mode), unix.Fstat(int(f.Fd()), &st)); err != nil {
		return nil, err
	}
	return &st, nil
}

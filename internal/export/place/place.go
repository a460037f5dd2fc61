// Package place keeps small files of hatchctl export on disk.
//
// Guarantees: a file is there as it was or as it is written, also after a power
// failure; one process at a time has the directory.
// Does not cover: somebody who can write to the directory.
// Requires: a directory that only its owner can write to; flock(2).
// Spec fields touched: none.
package place

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/audit"
)

// ErrHeld is a directory that another process has.
var ErrHeld = errors.New("another process exports from here")

// Dir makes a directory that is ours alone.
func Dir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s: other users can write to it, or own it", dir)
	}
	return nil
}

// Hold makes the directory and keeps it until release, under a name for each use.
func Hold(dir, use string) (release func(), err error) {
	if err := Dir(dir); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, use+".lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, ErrHeld)
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return func() { _ = f.Close() }, nil
}

// File is a file to write.
type File struct {
	Path string
	Data []byte
}

// Write replaces files of one directory, each as a whole; all are on disk when it
// returns. The first of them waits for the disk, the others hardly.
func Write(files ...File) error {
	for _, f := range files {
		if err := write(f.Path+tmp, f.Data); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := sync(f.Path + tmp); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := os.Rename(f.Path+tmp, f.Path); err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return nil
	}
	return sync(filepath.Dir(files[0].Path))
}

const tmp = ".tmp"

func write(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Save writes v as JSON.
func Save(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return Write(File{path, append(data, '\n')})
}

// Load reads what Save wrote; ok is false where there is none, or where it is
// garbled: then the caller begins anew.
func Load(path string, v any) (ok bool, err error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(data, v) == nil, nil
}

// Cursor is where the position of a receiver is kept.
func Cursor(dir, name string) string { return filepath.Join(dir, name+".cursor") }

// Position reads the position of a receiver.
func Position(dir, name string) (p audit.Position, ok bool, err error) {
	ok, err = Load(Cursor(dir, name), &p)
	return p, ok, err
}

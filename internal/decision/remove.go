package decision

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// remove takes a record's directory away. It never goes into a directory: what
// is mounted below it belongs to a container.
func remove(dir string) error {
	if err := disown(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

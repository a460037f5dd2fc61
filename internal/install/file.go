package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// backupSuffix names the file as it was before hatchdog.
const backupSuffix = ".hatchdog-backup"

// Edit is one file of an engine, before and after.
type Edit struct {
	Path          string
	Before, After []byte // nil is no file
	backup        []byte // what the backup is to hold; nil leaves it
	dropBackup    bool
}

// Changes reports whether there is anything to do.
func (e Edit) Changes() bool {
	return (e.Before == nil) != (e.After == nil) || !bytes.Equal(e.Before, e.After)
}

// PlanInstall says what an install would write. It writes nothing.
func PlanInstall(path string, f Format, o Options) (Edit, error) {
	path, before, err := readConfig(path)
	if err != nil {
		return Edit{}, err
	}
	after, err := f.Add(before, o)
	if err != nil {
		return Edit{}, fmt.Errorf("%s: %w", path, err)
	}
	e := Edit{Path: path, Before: before, After: after}
	clean, err := f.Remove(before)
	if err != nil {
		return Edit{}, fmt.Errorf("%s: %w", path, err)
	}
	if before != nil && bytes.Equal(clean, before) { // nothing of ours is in it yet
		e.backup = before
	}
	return e, nil
}

// PlanUninstall says what an uninstall would write. Where nobody changed the
// file since, that is the backup.
func PlanUninstall(path string, f Format, o Options) (Edit, error) {
	path, before, err := readConfig(path)
	if err != nil {
		return Edit{}, err
	}
	e := Edit{Path: path, Before: before, dropBackup: true}
	if e.After, err = f.Remove(before); err != nil {
		return Edit{}, fmt.Errorf("%s: %w", path, err)
	}
	_, backup, err := readConfig(path + backupSuffix)
	if err != nil {
		return Edit{}, err
	}
	if before == nil {
		return e, nil
	}
	for _, o.SetDefault = range []bool{false, true} {
		if ours, err := f.Add(backup, o); err == nil && bytes.Equal(ours, before) {
			e.After = backup
		}
	}
	return e, nil
}

// readConfig follows a link: what is edited is the file. A missing one is nil.
func readConfig(path string) (string, []byte, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil, nil
	}
	if err != nil {
		return path, nil, err
	}
	info, err := os.Stat(real)
	if err != nil {
		return path, nil, err
	}
	if !info.Mode().IsRegular() {
		return path, nil, fmt.Errorf("%s: not a regular file", path)
	}
	data, err := os.ReadFile(real)
	if data == nil {
		data = []byte{}
	}
	return real, data, err
}

// Apply writes the edit. Its undo writes the file as it was.
func (e Edit) Apply() (undo func() error, err error) {
	undo = func() error { return replace(e.Path, e.Before) }
	if e.backup != nil {
		if err := replaceLike(e.Path+backupSuffix, e.Path, e.backup); err != nil {
			return undo, err
		}
	}
	if e.Changes() {
		if err := replace(e.Path, e.After); err != nil {
			return undo, err
		}
	}
	if e.dropBackup {
		return undo, replace(e.Path+backupSuffix, nil)
	}
	return undo, nil
}

func replace(path string, data []byte) error { return replaceLike(path, path, data) }

// replaceLike replaces path as a whole, with the mode and owner of like.
func replaceLike(path, like string, data []byte) error {
	if data == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	mode, uid, gid := os.FileMode(0o644), -1, -1
	var st unix.Stat_t
	if unix.Stat(like, &st) == nil {
		mode, uid, gid = os.FileMode(st.Mode&0o777), int(st.Uid), int(st.Gid)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // not there any more once it has the name
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil && uid >= 0 {
		err = tmp.Chown(uid, gid)
	}
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

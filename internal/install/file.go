package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
	if bytes.Equal(before, e.After) { // nothing of ours is in it
		return e, nil
	}
	// The file as it was written then is not kept: it is the backup, if taking ours
	// away from both leaves the same.
	for _, o.SetDefault = range []bool{false, true} {
		written, err := f.Add(backup, o)
		if err != nil {
			continue
		}
		if clean, err := f.Remove(written); err == nil && bytes.Equal(clean, e.After) {
			e.After = backup
			return e, nil
		}
	}
	if g, ok := f.(giver); ok {
		if e.After, err = g.giveBack(before, e.After, backup); err != nil {
			return Edit{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	return e, nil
}

// giver is a format that cannot note in the file what its default was.
type giver interface {
	giveBack(before, clean, backup []byte) ([]byte, error)
}

// Apply writes the edit. Its undo gives back what was written, as it was.
func (e Edit) Apply() (undo func() error, err error) {
	var undos []func() error
	undo = func() error {
		var errs []error
		for i := len(undos) - 1; i >= 0; i-- {
			errs = append(errs, undos[i]())
		}
		return errors.Join(errs...)
	}
	write := func(path string, before, after []byte) error {
		if (before == nil) == (after == nil) && bytes.Equal(before, after) {
			return nil
		}
		undos = append(undos, func() error { return replaceLike(path, e.Path, before) })
		err := replaceLike(path, e.Path, after)
		if err != nil {
			undos = undos[:len(undos)-1] // the file is as it was
		}
		return err
	}
	backup := e.Path + backupSuffix
	_, kept, err := readConfig(backup)
	if err != nil {
		return undo, err
	}
	if e.backup != nil {
		if err := write(backup, kept, e.backup); err != nil {
			return undo, err
		}
	}
	if err := write(e.Path, e.Before, e.After); err != nil {
		return undo, err
	}
	if e.dropBackup {
		return undo, write(backup, kept, nil)
	}
	return undo, nil
}

// replaceLike replaces path as a whole, with the mode and owner of like.
func replaceLike(path, like string, data []byte) error {
	if data == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if strings.HasSuffix(filepath.Dir(path), ".d") {
			_ = os.Remove(filepath.Dir(path)) // an empty folder of drop-ins says nothing
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
	// One name, so that the next run clears up behind one that was cut off.
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".hatchdog-new")
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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

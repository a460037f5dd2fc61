package host

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

var errReadOnly = errors.New("the kernel mounted it read-only: it could not write to the work directory")

// MountOverlay mounts an overlay at target. The layers in data are named from
// dir. The caller holds its thread, and the mount namespace is the thread's
// own.
//
// The kernel makes files in the work directory as whoever mounts. With layers
// that have a mapping that must be an id of the range, or it mounts read-only
// and says nothing (fs/overlayfs/super.c, ovl_make_workdir).
func MountOverlay(dir, target, data string, flags uintptr, ids IDRange) error {
	return As(ids, func() error {
		cwd, err := unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("working directory: %w", err)
		}
		defer unix.Close(cwd)
		if err := unix.Chdir(dir); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		err = unix.Mount("overlay", target, "overlay", flags, data)
		if berr := unix.Fchdir(cwd); err == nil {
			err = berr
		}
		if err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
		var fs unix.Statfs_t
		if err := unix.Statfs(target, &fs); err != nil {
			return fmt.Errorf("overlay: %w", err)
		}
		if flags&unix.MS_RDONLY == 0 && fs.Flags&unix.ST_RDONLY != 0 {
			return fmt.Errorf("overlay: %w", errReadOnly)
		}
		return nil
	})
}

// As calls f with the file system ids of the range's root and all
// capabilities. They belong to the thread.
func As(ids IDRange, f func() error) error {
	old, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("securebits: %w", err)
	}
	const noSetuidFixup = 1 << 2 // linux/securebits.h
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(old)|noSetuidFixup, 0, 0, 0); err != nil {
		return fmt.Errorf("securebits: %w", err)
	}
	uid, _ := unix.SetfsuidRetUid(int(ids.Base))
	gid, _ := unix.SetfsgidRetGid(int(ids.Base))
	err = f()
	// These calls do not say whether they failed; asking does.
	_, _ = unix.SetfsuidRetUid(uid)
	_, _ = unix.SetfsgidRetGid(gid)
	u, _ := unix.SetfsuidRetUid(-1)
	g, _ := unix.SetfsgidRetGid(-1)
	if perr := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(old), 0, 0, 0); perr != nil || u != uid || g != gid {
		return errors.Join(err, errors.New("the ids of this thread could not be restored"))
	}
	return err
}

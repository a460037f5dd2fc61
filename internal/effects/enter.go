package effects

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// enter moves this thread into a mount namespace of its own, into which the
// host's mounts come and from which none goes back, with an empty file system
// at base.
func enter(base string) error {
	if err := makePlace(base); err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("private mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("private mount namespace: propagation: %w", err)
	}
	// Device nodes are staged in it: not nodev. The largest spec fits.
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=0711,size=8m"); err != nil {
		return fmt.Errorf("private mount namespace: %s: %w", base, err)
	}
	return nil
}

// makePlace makes the mount point. All may pass through it and the state
// directory, and only we may look.
func makePlace(base string) error {
	// The low-level runtime's exec changes to the path of the root file system
	// on its way into the container: outside an empty directory is there.
	if err := os.MkdirAll(filepath.Join(base, rootDir), 0o711); err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(base), base} {
		var st unix.Stat_t
		if err := unix.Lstat(dir, &st); err != nil {
			return err
		}
		if int(st.Uid) != os.Geteuid() || st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 {
			return errNotOurs
		}
		if st.Mode&0o111 != 0o111 {
			if err := unix.Chmod(dir, st.Mode&0o777|0o111); err != nil {
				return err
			}
		}
	}
	return nil
}

var errNotOurs = errors.New("not a directory that only we can write to")

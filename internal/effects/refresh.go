package effects

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Two overlay mounts have the container's upper layer: the engine's and ours. The
// one may not see a file that is written through the other, as far as it remembers
// an earlier look.

// Refresh lets the overlay mount whose root is at path forget what it remembers.
// Names of files that a process has open stay. The path leads to another file
// system where the container has no overlay: Refresh leaves that alone.
func Refresh(path string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	if fs.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return nil
	}
	fd, err := unix.Fspick(unix.AT_FDCWD, path, unix.FSPICK_CLOEXEC)
	if err != nil {
		return fmt.Errorf("refresh %s: fspick: %w", path, err)
	}
	defer unix.Close(fd)
	// A reconfiguration that changes nothing drops the names that the mount
	// remembers (kernel, fs/super.c, reconfigure_super).
	if err := unix.FsconfigReconfigure(fd); err != nil {
		return fmt.Errorf("refresh %s: %w", path, err)
	}
	return nil
}

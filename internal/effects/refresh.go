package effects

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Two overlay mounts have the container's upper layer: the engine's and ours.
// What is written through one the other may not see, as far as it remembers
// what it saw before.

// Refresh lets the overlay mount whose root is at path forget what it
// remembers. Names of files that a process has open stay. What the path leads to
// is another file system where the container has no overlay: that is left alone.
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

package host

import (
	"os"

	"golang.org/x/sys/unix"
)

// lockedFlags are the options of a file's mount that whoever takes the mount
// into a user namespace of less privilege cannot clear (mount_namespaces(7)).
func lockedFlags(fd int) []string {
	var fs unix.Statfs_t
	if unix.Fstatfs(fd, &fs) != nil {
		return nil
	}
	var all []string
	for _, f := range []struct {
		bit  int64
		name string
	}{{unix.ST_RDONLY, "ro"}, {unix.ST_NOEXEC, "noexec"}} {
		if fs.Flags&f.bit != 0 {
			all = append(all, f.name)
		}
	}
	return all
}

// stNoSymfollow is ST_NOSYMFOLLOW (linux/statfs.h, 5.10).
const stNoSymfollow = 0x2000

// Forbids are the ST_ flags of the mount at path that take something away from
// who uses it.
func Forbids(path string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return uint64(fs.Flags) & (unix.ST_RDONLY | unix.ST_NOSUID | unix.ST_NODEV | unix.ST_NOEXEC | stNoSymfollow), nil
}

package host

import "golang.org/x/sys/unix"

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

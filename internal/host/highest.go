package host

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// sampled is how many files of a directory are looked at: an owner that a user
// namespace does not have mostly owns the directory, or all in it.
const sampled = 32

// highest is the highest id of a user or a group that owns the file, or, of a
// directory, one of the first files in it. What cannot be read is passed over:
// it tells what to say, and protects nothing.
func highest(fd int, st *unix.Stat_t) uint32 {
	most := max(st.Uid, st.Gid)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return most
	}
	dir, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if err != nil {
		return most
	}
	f := os.NewFile(uintptr(dir), "")
	defer f.Close()
	names, _ := f.Readdirnames(sampled)
	for _, name := range names {
		var in unix.Stat_t
		if unix.Fstatat(dir, filepath.Base(name), &in, unix.AT_SYMLINK_NOFOLLOW) == nil {
			most = max(most, in.Uid, in.Gid)
		}
	}
	return most
}

package host

import (
	"bufio"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sampled is how many files of a directory are looked at: an owner that a user
// namespace does not have mostly owns the directory, or all in it.
const sampled = 32

// owners are ids from 65536 on, one for each unit that some of them lie in.
type owners []uint32

func (o *owners) add(ids ...uint32) {
	for _, id := range ids {
		same := func(other uint32) bool { return other/IDUnit == id/IDUnit }
		if id < IDUnit || id == math.MaxUint32 || slices.ContainsFunc(*o, same) { // the last stands for none
			continue
		}
		*o = append(*o, id)
	}
	slices.Sort(*o)
}

// ownersOf are the users and groups that own the file, or, of a directory, one of
// the first files in it. It passes over files that cannot be read: owners tell what
// the container needs, and protect nothing.
func ownersOf(fd int, st *unix.Stat_t) []uint32 {
	var o owners
	o.add(st.Uid, st.Gid)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		o.in(fd)
	}
	return o
}

// in adds those of the first files of an open directory.
func (o *owners) in(fd int) {
	dir, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOATIME, 0)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(dir), "")
	defer f.Close()
	names, _ := f.Readdirnames(sampled)
	for _, name := range names {
		var in unix.Stat_t
		if unix.Fstatat(dir, filepath.Base(name), &in, unix.AT_SYMLINK_NOFOLLOW) == nil {
			o.add(in.Uid, in.Gid)
		}
	}
}

// imageOwners are the ids that an image says it has: the owners of its top
// directory's and of /home's first files, and its accounts. The work does not
// grow with the image.
func imageOwners(root int) []uint32 {
	var o owners
	o.in(root)
	if home, err := openInside(root, "home", unix.O_DIRECTORY); err == nil {
		o.in(home)
		_ = unix.Close(home)
	}
	for file, columns := range map[string][]int{"etc/passwd": {2, 3}, "etc/group": {2}} {
		o.accounts(root, file, columns)
	}
	return o
}

// mostAccounts is how much of a file of accounts is read, in bytes.
const mostAccounts = 1 << 16

// accounts adds the numbers of a file like passwd(5), if it is a file. An image
// may have a FIFO or a device there: that is not opened.
func (o *owners) accounts(root int, name string, columns []int) {
	fd, err := openInside(root, name, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	f, err := os.Open("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, mostAccounts))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		for _, c := range columns {
			if c >= len(fields) {
				continue
			}
			if id, err := strconv.ParseUint(fields[c], 10, 32); err == nil {
				o.add(uint32(id))
			}
		}
	}
}

// openInside opens what a path of the container leads to without acting on it
// (O_PATH): links stay inside, and no other file system is entered.
func openInside(root int, name string, flags uint64) (int, error) {
	return unix.Openat2(root, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | flags,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
}

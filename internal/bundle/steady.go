package bundle

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
)

// maxLinks is the kernel's limit of symbolic links on one path
// (path_resolution(7)).
const maxLinks = 40

// Steady reports whether nobody but root, and the user we are, can change what path
// leads to. It follows links as the kernel does. A path of which it cannot tell is
// not steady.
func Steady(path string) bool {
	links := 0
	return steadyFrom("/", strings.Split(path, "/"), &links)
}

func steadyFrom(dir string, names []string, links *int) bool {
	var st unix.Stat_t
	for i, name := range names {
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			dir = filepath.Dir(dir)
			continue
		}
		if unix.Lstat(dir, &st) != nil || !owner.Trusted(dir, st.Uid) {
			return false
		}
		open := openTo(dir, &st)
		sticky := st.Mode&unix.S_ISVTX != 0
		next := filepath.Join(dir, name)
		if unix.Lstat(next, &st) != nil {
			return false
		}
		// In a directory like /tmp nobody can replace what is root's.
		if open && (!sticky || !owner.Trusted(next, st.Uid)) {
			return false
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			dir = next
			continue
		}
		if *links++; *links > maxLinks {
			return false
		}
		// A link there leads elsewhere for another process.
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) != nil || fs.Type == unix.PROC_SUPER_MAGIC {
			return false
		}
		target := make([]byte, unix.PathMax)
		n, err := unix.Readlink(next, target)
		if err != nil || n == len(target) {
			return false
		}
		to := string(target[:n])
		if strings.HasPrefix(to, "/") {
			dir = "/"
		}
		return steadyFrom(dir, append(strings.Split(to, "/"), names[i+1:]...), links)
	}
	return true
}

// SteadyName reports the same of a file that may not be there yet: nobody but root,
// and the user we are, says what it comes to be.
func SteadyName(path string) bool {
	var st unix.Stat_t
	for dir := path; ; dir = filepath.Dir(dir) {
		err := unix.Lstat(dir, &st)
		switch {
		case err == nil && dir == path:
			return Steady(path)
		case err == nil:
			return Steady(dir) && unix.Stat(dir, &st) == nil && owner.Trusted(dir, st.Uid) && !openTo(dir, &st)
		case !errors.Is(err, unix.ENOENT), dir == "/":
			return false
		}
	}
}

// openTo reports whether users other than root may make files in a folder.
func openTo(dir string, st *unix.Stat_t) bool {
	return st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && (st.Gid != 0 && int(st.Gid) != unix.Getegid() || hasACL(dir))
}

// hasACL reports whether the group's bits of a mode may be those of other users:
// with an access control list they are its mask (acl(5)). A file of which it cannot
// tell counts as one that has a list.
func hasACL(path string) bool {
	_, err := unix.Getxattr(path, "system.posix_acl_access", nil)
	return !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP)
}

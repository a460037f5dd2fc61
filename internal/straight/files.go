package straight

import (
	"os"
	"syscall"
)

// wholeMap is /proc/self/uid_map of a process that is in no user namespace of its
// own (user_namespaces(7)), without the spaces.
const wholeMap = "0 0 4294967295"

// isRoot reports whether we are the host's root.
func isRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	fd, err := syscall.Open("/proc/self/uid_map", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = syscall.Close(fd) }()
	var text [128]byte
	n, err := syscall.Read(fd, text[:])
	return err == nil && words(string(text[:n])) == wholeMap
}

// words is the one line of s, with one space between its words.
func words(s string) string {
	var out []byte
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n' && i+1 == len(s):
		case c == ' ' && (len(out) == 0 || out[len(out)-1] == ' '):
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

// plainDirs reports whether a path is that of a directory, and no part of it a link.
func plainDirs(path string) bool {
	if !isPath(path) {
		return false
	}
	for i := 1; i <= len(path); i++ {
		var st syscall.Stat_t
		if i < len(path) && path[i] != '/' {
			continue
		}
		if syscall.Lstat(path[:i], &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			return false
		}
	}
	return true
}

// steadyDirs reports whether nobody but root can change what the path of a file
// leads to, and no folder of it is a link. It is bundle.Steady, but that it is
// stricter about groups.
func steadyDirs(path string) bool {
	for i := 1; i <= len(path); i++ {
		at := path[:i]
		switch {
		case i == 1: // the root
		case i < len(path) && path[i] != '/':
			continue
		}
		var st syscall.Stat_t
		if syscall.Lstat(at, &st) != nil || st.Uid != 0 {
			return false
		}
		if i == len(path) {
			return true // its mode is read from what is opened
		}
		if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			return false
		}
		// In a directory like /tmp nobody can replace what is root's.
		if st.Mode&0o022 != 0 && st.Mode&syscall.S_ISVTX == 0 {
			return false
		}
	}
	return false
}

// ours is decision's own rule on a directory of the records.
func ours(dir string) bool {
	var st syscall.Stat_t
	return syscall.Lstat(dir, &st) == nil && st.Mode&syscall.S_IFMT == syscall.S_IFDIR && st.Uid == 0 && st.Mode&0o022 == 0
}

// recorded is the low-level runtime that created the container. There is a
// directory for each root of a low-level runtime, which says whose it is.
func recorded(base, root, id string) (string, bool) {
	fd, err := syscall.Open(base, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", false
	}
	defer func() { _ = syscall.Close(fd) }()
	var entries [4096]byte
	for {
		n, err := syscall.ReadDirent(fd, entries[:])
		if err != nil || n <= 0 {
			return "", false
		}
		_, _, names := syscall.ParseDirent(entries[:n], -1, nil)
		for _, name := range names {
			of := base + "/" + name
			if name[0] != '@' && link(of+"/@root") == root && ours(of) {
				path := link(of + "/" + id + "/runtime")
				return path, path != ""
			}
		}
	}
}

// link is where a symbolic link leads to; "" is none, or one of a length that is
// not usual.
func link(path string) string {
	var to [1024]byte
	n, err := syscall.Readlink(path, to[:])
	if err != nil || n == len(to) {
		return ""
	}
	return string(to[:n])
}

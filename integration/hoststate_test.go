package integration

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// hostFiles is what the host's device nodes, settings and mounted folders are,
// by path: a test may change none of them, and a container least of all.
func hostFiles() map[string]string {
	all := map[string]string{}
	for _, root := range []string{"/dev", "/etc"} {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil //nolint:nilerr // it went meanwhile
			case d.IsDir() && ownTree(path):
				return fs.SkipDir
			}
			note(all, path)
			return nil
		})
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		// Network namespaces and what lies in a temporary folder belong to tests.
		if f := strings.Fields(line); len(f) > 4 && !strings.HasPrefix(f[4], "/run/netns") && !strings.HasPrefix(f[4], os.TempDir()) {
			note(all, strings.ReplaceAll(f[4], `\040`, " "))
		}
	}
	return all
}

// ownTree tells what changes by itself: terminals, and memory and queues of
// others.
func ownTree(path string) bool {
	return slices.Contains([]string{"/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages"}, path)
}

func note(all map[string]string, path string) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return
	}
	what := fmt.Sprintf("owner %d:%d, mode %o, ACL %x", st.Uid, st.Gid, st.Mode, attribute(path, "system.posix_acl_access")+attribute(path, "system.posix_acl_default"))
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		if data, err := os.ReadFile(path); err == nil && strings.HasPrefix(path, "/etc/") {
			what += fmt.Sprintf(", content %.8x", sha256.Sum256(data))
		}
	case unix.S_IFCHR, unix.S_IFBLK:
		what += fmt.Sprintf(", device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	case unix.S_IFLNK:
		to, _ := os.Readlink(path)
		what += ", to " + to
	}
	all[path] = what
}

// attribute is an extended attribute of a file; none is empty.
func attribute(path, name string) string {
	b := make([]byte, 4096)
	n, err := unix.Lgetxattr(path, name, b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// changed says which of the host's files are not what they were, and how. A mount
// that has gone is not one of them: others mount and unmount as well.
func changed(before, now map[string]string) []string {
	var all []string
	for _, path := range slices.Sorted(maps.Keys(before)) {
		is, there := now[path]
		switch {
		case is == before[path]:
		case there:
			all = append(all, fmt.Sprintf("%s is %s; was %s", path, is, before[path]))
		case strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/etc/"):
			all = append(all, path+" is gone; was "+before[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(now)) {
		if _, there := before[path]; !there && (strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/etc/")) {
			all = append(all, path+" is new: "+now[path])
		}
	}
	return all
}

// removeLater removes a file with its folder when all tests have run, where they
// are not there yet.
func removeLater(file string) {
	for _, path := range []string{filepath.Dir(file), file} {
		if _, err := os.Lstat(path); err != nil {
			atEnd(func() { _ = os.Remove(path) })
		}
	}
}

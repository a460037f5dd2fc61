// Package owner tells whose a file is: whether anybody else than the host's root,
// and the user that we are, owns it.
//
// Guarantees: outside of user namespaces it is the number of the owner that
// counts, and nothing else.
// Does not cover: who may write to a file by its mode or its access control list.
// In a user namespace that the host's root is not mapped into (Podman, Buildah and
// others without root run the runtime in one), the kernel shows each owner without
// an id there as the same nobody. There nobody's counts as root's in the places
// that are root's on any Linux (Filesystem Hierarchy Standard 3.0), and nowhere
// else.
// Requires: /proc.
// Spec fields touched: none.
package owner

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// trees hold root's files alone.
var trees = []string{"/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix"}

// folders are root's themselves; what is in them need not be.
var folders = []string{"/", "/home", "/media", "/mnt", "/proc", "/root", "/run", "/run/user", "/srv", "/sys", "/tmp", "/var", "/var/lib", "/var/tmp"}

// Trusted reports whether the owner of what is at path, an absolute path without
// links, is the host's root or us.
func Trusted(path string, uid uint32) bool {
	if uid == 0 || int(uid) == unix.Geteuid() {
		return true
	}
	return uid == overflow() && !rootIsMapped(mapping()) && roots(filepath.Clean(path))
}

func roots(path string) bool {
	return slices.Contains(folders, path) || slices.ContainsFunc(trees, func(tree string) bool {
		return path == tree || strings.HasPrefix(path, tree+"/")
	})
}

// overflow is the id that stands for all that have none here (the kernel's
// Documentation/admin-guide/sysctl/fs.rst, overflowuid).
func overflow() uint32 {
	data, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil {
		return 65534
	}
	id, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 65534
	}
	return uint32(id)
}

// line is one of a user namespace's mapping (user_namespaces(7)).
type line struct{ inside, outside, size uint32 }

func mapping() []line { return mapped("/proc/self/uid_map") }

func mapped(file string) []line {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var all []line
	for text := range strings.Lines(string(data)) {
		var n [3]uint32
		fields := strings.Fields(text)
		if len(fields) != len(n) {
			return nil
		}
		for i, f := range fields {
			v, err := strconv.ParseUint(f, 10, 32)
			if err != nil {
				return nil
			}
			n[i] = uint32(v)
		}
		all = append(all, line{n[0], n[1], n[2]})
	}
	return all
}

// rootIsMapped is true where it cannot be told: then nobody is nobody.
func rootIsMapped(all []line) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(l line) bool { return l.outside == 0 })
}

// Group is ours, as User is.
func Group() int {
	us := unix.Getegid()
	all := mapped("/proc/self/gid_map")
	i := slices.IndexFunc(all, func(l line) bool { return l.inside == 0 })
	if us != 0 || i < 0 || rootIsMapped(all) {
		return us
	}
	return int(all[i].outside)
}

// Others reports whether our user namespace has more ids than root's: 1, which is
// no user's.
func Others() bool {
	one := func(l line) bool { return l.inside <= 1 && l.inside+l.size > 1 }
	return slices.ContainsFunc(mapping(), one) && slices.ContainsFunc(mapped("/proc/self/gid_map"), one)
}

// User is who we are: in a user namespace without the host's root, outside of it.
func User() int {
	us := unix.Geteuid()
	if us != 0 {
		return us
	}
	all := mapping()
	i := slices.IndexFunc(all, func(l line) bool { return l.inside == 0 })
	if i < 0 || rootIsMapped(all) {
		return us
	}
	return int(all[i].outside)
}

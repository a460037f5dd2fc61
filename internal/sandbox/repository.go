package sandbox

import (
	"os"
	"path"
)

// isRepository reports whether a directory with a HEAD is a repository's own,
// whatever its name (git, setup.c: is_git_directory).
func isRepository(root *os.Root, dir string) bool {
	for _, name := range []string{"objects", "commondir"} {
		if _, err := root.Lstat(path.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// Believed says why git on the host believes or runs what lies at name, in a
// repository's own directory of whatever name; "" is that it does not.
func Believed(root *os.Root, name string) string {
	for at := name; at != "."; at = path.Dir(at) {
		dir := path.Dir(at)
		if _, err := root.Lstat(path.Join(dir, "HEAD")); err != nil || !isRepository(root, dir) {
			continue
		}
		for _, k := range keptInRepositories {
			if k.name == path.Base(at) {
				return k.reason
			}
		}
	}
	return ""
}

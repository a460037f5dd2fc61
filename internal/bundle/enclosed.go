package bundle

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
)

// enclosed reports whether nobody but root, and the user we are, can come to what
// path leads to: one of the folders on the way lets no other user through, whatever
// the modes below it say. BuildKit, and the one in Docker, write a spec that all may
// write to into such a folder. A path of which it cannot tell is not enclosed.
func enclosed(path string) bool {
	if !Steady(path) {
		return false
	}
	way, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return false
	}
	for dir := way; dir != "/"; dir = filepath.Dir(dir) {
		if lets, err := letsThrough(dir); err == nil && !lets {
			return true
		}
	}
	return false
}

// letsThrough reports whether a folder may be passed by users other than root and us.
func letsThrough(dir string) (bool, error) {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return false, err
	}
	return !owner.Trusted(dir, st.Uid) || st.Mode&0o001 != 0 ||
		st.Mode&0o010 != 0 && (st.Gid != 0 && int(st.Gid) != unix.Getegid() || hasACL(dir)), nil
}

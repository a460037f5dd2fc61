package host

import "golang.org/x/sys/unix"

// imagePlaces are the paths of an image that a low-level runtime mounts on, makes
// or changes to as the host's root: a link of the image there has misled many
// (CVE-2019-19921, CVE-2023-27561, CVE-2025-31133).
func imagePlaces() []string {
	return []string{
		"proc", "sys", "dev", "dev/null", "dev/zero", "dev/full", "dev/random", "dev/urandom", "dev/tty", "dev/console", "dev/pts",
	}
}

// links are those of the places that are symbolic links in an open root file
// system.
func links(root int) []string {
	var all []string
	for _, name := range imagePlaces() {
		var st unix.Stat_t
		if unix.Fstatat(root, name, &st, unix.AT_SYMLINK_NOFOLLOW) != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
			continue
		}
		all = append(all, "/"+name)
		if name == "dev" {
			break // what lies there is not the image's
		}
	}
	return all
}

package host

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// What a low-level runtime mounts, makes or changes to in an image, as the host's
// root: a link of the image's there has misled many (CVE-2019-19921,
// CVE-2023-27561, CVE-2025-31133).
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

// leads is where a path of the container leads by the links of its image. What is
// not there leads where its words do.
func leads(root int, name string) string {
	at, rest := "/", strings.Split(name, "/")
	for n := 0; len(rest) > 0 && n < maxLinks; {
		next := path.Join(at, rest[0])
		rest = rest[1:]
		target := make([]byte, unix.PathMax)
		// Each directory on the way was looked at: none of them is a link.
		got, err := readlinkBelow(root, strings.TrimPrefix(next, "/"), target)
		if err != nil || got == 0 || got == len(target) {
			at = next
			continue
		}
		n++
		to := string(target[:got])
		if strings.HasPrefix(to, "/") {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return path.Join(append([]string{at}, rest...)...)
}

func readlinkBelow(root int, name string, buf []byte) (int, error) {
	if name == "" {
		return 0, unix.EINVAL
	}
	fd, err := unix.Openat2(root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.Readlinkat(fd, "", buf)
}

package learn

import (
	"path"
	"strings"
)

// Mount is a mount of a container.
type Mount struct {
	At     string
	Device uint64 // of its file system, as the kernel numbers it
}

// Number is a device's number as the kernel has it (MKDEV).
func Number(major, minor uint64) uint64 { return major<<20 | minor }

// aliases are links that images have.
func aliases() [][2]string {
	return [][2]string{{"/var/run", "/run"}, {"/var/lock", "/run/lock"}}
}

// Place says where a path that was written lies: the mount point, and the path
// below it. The path is "" where it is not known. A device that no mount has is of
// no mount that is known.
func Place(mounts []Mount, text string, device uint64) (mount, below string) {
	absolute := strings.HasPrefix(text, "/")
	if absolute {
		text = path.Clean(text)
		for _, a := range aliases() {
			if text == a[0] || strings.HasPrefix(text, a[0]+"/") {
				text = a[1] + strings.TrimPrefix(text, a[0])
			}
		}
	}
	for _, m := range mounts {
		under := m.At == "/" || text == m.At || strings.HasPrefix(text, m.At+"/")
		switch {
		case device != 0 && m.Device != device:
		case absolute && under && len(m.At) > len(mount):
			mount, below = m.At, text
		case !absolute && device != 0 && len(m.At) > len(mount):
			mount, below = m.At, ""
		}
	}
	if mount == "" && device != 0 { // a path over a link, or a mount that is gone
		for _, m := range mounts {
			if m.Device == device && len(m.At) > len(mount) {
				mount, below = m.At, ""
			}
		}
	}
	return mount, below
}

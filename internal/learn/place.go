package learn

import (
	"path"
	"slices"
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

// Place says where a path that was written lies: the mount point, and the path below
// it. Where it is not known, as of a relative path, the path is "", and the mount
// points are all those of its file system: several may be of one. A device that no
// mount has is of no mount that is known.
func Place(mounts []Mount, text string, device uint64) (at []string, below string) {
	if strings.HasPrefix(text, "/") {
		text = path.Clean(text)
		for _, a := range aliases() {
			if text == a[0] || strings.HasPrefix(text, a[0]+"/") {
				text = a[1] + strings.TrimPrefix(text, a[0])
			}
		}
		if mount := longest(mounts, text, device); mount != "" {
			return []string{mount}, text
		}
	}
	if device == 0 {
		return nil, ""
	}
	for _, m := range mounts { // a path over a link, or a mount that is gone, too
		if m.Device == device && !otherFile(m.At, text) {
			at = append(at, m.At)
		}
	}
	return at, ""
}

// longest is the mount point that a path is below.
func longest(mounts []Mount, text string, device uint64) (mount string) {
	for _, m := range mounts {
		under := m.At == "/" || text == m.At || strings.HasPrefix(text, m.At+"/")
		if under && (device == 0 || m.Device == device) && len(m.At) > len(mount) {
			mount = m.At
		}
	}
	return mount
}

// otherFile is true for a file that engines mount, and a path of another name.
func otherFile(mount, text string) bool {
	return slices.Contains([]string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}, mount) && path.Base(mount) != path.Base(text)
}

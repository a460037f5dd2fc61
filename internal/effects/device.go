package effects

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Device is a device node that was made for a container that cannot make it
// itself. In a user namespace runc would bind what the host has at the
// container's path, whatever its numbers are.
type Device struct {
	Path   string // in the container
	Source string // in the private mount namespace
}

// stage makes the nodes of linux.devices.
func (w *work) stage(a *Acquired) error {
	if w.Spec.Linux == nil {
		return nil
	}
	for i, d := range w.Spec.Linux.Devices {
		if slices.Contains([]string{"/dev/tty", "/dev/ptmx", "/dev/console"}, path.Clean(d.Path)) {
			continue // the low-level runtime makes them itself, whatever is listed (runtime-spec, config-linux.md, "Default Devices")
		}
		at := filepath.Join(a.base, "dev"+strconv.Itoa(i))
		kind := map[string]uint32{"c": unix.S_IFCHR, "u": unix.S_IFCHR, "b": unix.S_IFBLK, "p": unix.S_IFIFO}[d.Type]
		if kind == 0 {
			return fmt.Errorf("linux.devices[%s].type: %w", d.Path, unix.EINVAL)
		}
		mode := os.FileMode(0o666)
		if d.FileMode != nil {
			mode = *d.FileMode
		}
		if err := unix.Mknod(at, kind|0o600, int(unix.Mkdev(uint32(d.Major), uint32(d.Minor)))); err != nil {
			return fmt.Errorf("linux.devices[%s]: mknod: %w", d.Path, err)
		}
		if err := unix.Chmod(at, uint32(mode.Perm())); err != nil {
			return fmt.Errorf("linux.devices[%s]: %w", d.Path, err)
		}
		if err := unix.Lchown(at, w.outside(d.UID), w.outside(d.GID)); err != nil {
			return fmt.Errorf("linux.devices[%s]: %w", d.Path, err)
		}
		a.Devices = append(a.Devices, Device{Path: d.Path, Source: at})
	}
	return nil
}

// outside is the host's number of an id of the container. One that it does not
// have is its root.
func (w *work) outside(id *uint32) int {
	if id == nil {
		return int(w.IDs.Base)
	}
	if at, ok := w.IDs.Outside(*id); ok {
		return int(at)
	}
	return int(w.IDs.Base)
}

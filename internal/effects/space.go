package effects

import (
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Space is the path of a joined namespace that was replaced by one that leads to
// the namespace that was examined, whatever becomes of the process.
type Space struct {
	Type   string
	Before string // as the engine wrote it
	After  string // in the private mount namespace
	Fd     int    // of the namespace that was examined
	index  int    // in the spec's namespaces
}

// holdSpaces mounts the namespaces that the container joins.
func (w *work) holdSpaces(a *Acquired) error {
	if w.Spec.Linux == nil {
		return nil
	}
	for i, ns := range w.Spec.Linux.Namespaces {
		// The kernel lets no mount namespace be mounted in one that is younger
		// (fs/namespace.c, mnt_ns_loop).
		if ns.Path == "" || ns.Type == specs.MountNamespace {
			continue
		}
		fd, ok := w.Sources.Namespace(ns.Path)
		if !ok {
			return fmt.Errorf("linux.namespaces[%s].path: %w", ns.Type, errNotHeld)
		}
		s := Space{Type: string(ns.Type), Before: ns.Path, After: filepath.Join(a.base, "ns-"+string(ns.Type)), Fd: fd, index: i}
		if err := mountSpace(fd, s.After); err != nil {
			return fmt.Errorf("linux.namespaces[%s].path: %w", ns.Type, err)
		}
		a.Spaces = append(a.Spaces, s)
	}
	return nil
}

func mountSpace(fd int, at string) error {
	file, err := unix.Open(at, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	_ = unix.Close(file)
	if err := unix.Mount(fmt.Sprintf("/proc/thread-self/fd/%d", fd), at, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("it cannot be held: mount: %w", err)
	}
	return nil
}

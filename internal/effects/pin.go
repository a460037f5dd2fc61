package effects

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// Pin is a mount's source that was replaced by a mount of the same file.
type Pin struct {
	Destination string
	Before      string // as the engine wrote it
	After       string // in the private mount namespace
	Fd          int    // of the file that was examined
	index       int    // in the spec's mounts
}

type tree struct {
	mount *specs.Mount
	pin   Pin
	fd    int // of the detached copy
	dir   bool
}

// detach copies the trees of the sources. With a user namespace it maps their
// owners as the profile says. A caller that may not make mounts takes a path that
// nobody else can change.
func (w *work) detach() ([]tree, error) {
	var trees []tree
	for i := range w.Spec.Mounts {
		m := &w.Spec.Mounts[i]
		src, ok := w.Facts.Sources[m.Source]
		if !ok || !isBind(*m) || src.Steady && !w.Facts.MayMount && w.IDs.Empty() {
			continue
		}
		fd, ok := w.Sources.Fd(m.Source)
		if !ok {
			return trees, fmt.Errorf("mounts[%s].source: not held open", m.Destination)
		}
		flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
		recursive := uint(0)
		if !slices.Contains(m.Options, "bind") {
			recursive = unix.AT_RECURSIVE
		}
		copied, err := unix.OpenTree(fd, "", flags|recursive)
		if err != nil {
			return trees, fmt.Errorf("mounts[%s].source: it cannot be held: open_tree: %w", m.Destination, err)
		}
		trees = append(trees, tree{mount: m, fd: copied, dir: src.Dir, pin: Pin{Destination: m.Destination, Before: m.Source, Fd: fd, index: i}})
		if w.IDs.Empty() || !w.Volumes.For(src.Resolved).Mapped() || m.Destination == "/dev/shm" && !src.Idmap.OK {
			continue
		}
		if err := host.Idmap(copied, w.userns, recursive); err != nil {
			return trees, fmt.Errorf("mounts[%s].source: its owners cannot be mapped: %w", m.Destination, err)
		}
	}
	return trees, nil
}

func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

func closeAll(trees []tree) {
	for _, t := range trees {
		_ = unix.Close(t.fd)
	}
}

// pin attaches the copy of a source.
func (w *work) pin(a *Acquired, i int) error {
	t := &w.trees[i]
	t.pin.After = filepath.Join(a.base, strconv.Itoa(i))
	if err := attach(t.fd, t.pin.After, t.dir); err != nil {
		return fmt.Errorf("mounts[%s].source: %w", t.mount.Destination, err)
	}
	a.Pins = append(a.Pins, t.pin)
	return nil
}

// attach mounts a detached copy at a path that it makes.
func attach(fd int, at string, dir bool) error {
	if dir {
		if err := unix.Mkdir(at, 0o711); err != nil {
			return err
		}
	} else {
		file, err := unix.Open(at, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		_ = unix.Close(file)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	// The copy of a shared mount is its peer: cut the way back to the host.
	if err := unix.Mount("", at, "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("propagation: %w", err)
	}
	return nil
}

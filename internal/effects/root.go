package effects

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// Root is a root file system that was replaced by one with the same files.
type Root struct {
	Before string // as the engine wrote it
	After  string // in the private mount namespace, or what it is on the host
	Fd     int    // of the directory that was examined
	Layers []Layer
	NoSuid bool // nothing in it gives its user or its capabilities to who runs it
}

// Layer is one layer of an overlay, and the file that takes its place.
type Layer struct {
	Path string // on the host
	Fd   int    // of the copy, with O_PATH
}

// workDir is our own work directory beside the engine's: of one, two mounts
// would be undefined (kernel, overlayfs.rst).
const workDir = "hatchdog-work"

// detachRoot copies the root file system that was examined. With a user
// namespace it maps the owners, of an overlay those of its layers. The upper
// layer and the work directory must be on one mount: the directory that both are
// in is copied.
func (w *work) detachRoot() error {
	if w.Spec.Root == nil {
		return nil
	}
	held, ok := w.Sources.Root()
	if !ok {
		return fmt.Errorf("it was not examined: %w", unix.ENOENT)
	}
	o := w.overlay()
	if o == nil {
		fd, err := unix.OpenTree(held, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
		if err != nil {
			return fmt.Errorf("open_tree: %w", err)
		}
		w.root = fd
		if w.IDs.Empty() {
			return nil
		}
		return host.Idmap(fd, w.userns, unix.AT_RECURSIVE)
	}
	paths := o.Lower
	if o.Upper != "" {
		paths = append([]string{filepath.Dir(o.Upper)}, o.Lower...)
	}
	for _, path := range paths {
		fd, err := w.copyMapped(path)
		if err != nil {
			return fmt.Errorf("layer %s: %w", path, err)
		}
		w.layers = append(w.layers, fd)
	}
	return nil
}

// overlay is the overlay whose layers are mapped one by one, nil for none.
func (w *work) overlay() *host.Overlay {
	if w.IDs.Empty() {
		return nil
	}
	return w.Facts.UserNS.Root.Overlay
}

func (w *work) copyMapped(path string) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("open_tree: %w", err)
	}
	if err := host.Idmap(fd, w.userns, 0); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// attachRoot mounts the root file system anew.
func (w *work) attachRoot(a *Acquired) error {
	if w.Spec.Root == nil {
		return nil
	}
	r := &Root{Before: w.Spec.Root.Path, After: filepath.Join(a.base, rootDir)}
	r.Fd, _ = w.Sources.Root()
	var err error
	if w.overlay() == nil {
		err = w.attachCopy(a, r)
	} else {
		err = w.mountOverlay(a, r)
	}
	if err == nil && w.Spec.Process != nil && w.Spec.Process.NoNewPrivileges {
		// Without a user namespace, which locks it, runc clears the flag where it
		// makes the root file system read-only (rootfs_linux.go, setReadonly).
		at := r.After
		if !filepath.IsAbs(at) {
			at = filepath.Join(w.Facts.Bundle, at)
		}
		r.NoSuid, err = !w.Spec.Root.Readonly || !w.IDs.Empty(), nosuid(at)
	}
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	a.Root = r
	return nil
}

// nosuid lets the kernel take setuid bits and file capabilities for nothing, as
// noNewPrivileges does. Without it, a program whose file has a capability that
// the bounding set lacks does not start at all (capabilities(7), "Safety
// checking for capability-dumb binaries").
func nosuid(root string) error {
	err := unix.MountSetattr(unix.AT_FDCWD, root, unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID})
	if err != nil && !errors.Is(err, unix.ENOSYS) { // before 5.12
		return fmt.Errorf("mount_setattr: %w", err)
	}
	return nil
}

func (w *work) mountOverlay(a *Acquired, r *Root) error {
	o := w.overlay()
	if o.Upper != "" {
		w.makePlaces()
	}
	dir := filepath.Join(a.base, "layers")
	for _, d := range []string{dir, r.After} {
		if err := unix.Mkdir(d, 0o711); err != nil {
			return err
		}
	}
	var lower []string
	data := ""
	for i, fd := range w.layers {
		name := strconv.Itoa(i)
		if err := attach(fd, filepath.Join(dir, name), true); err != nil {
			return err
		}
		if i > 0 || o.Upper == "" {
			lower = append(lower, name)
			if err := r.layer(filepath.Join(dir, name), o.Lower[len(lower)-1]); err != nil {
				return err
			}
			continue
		}
		upper := filepath.Base(o.Upper)
		if err := r.layer(filepath.Join(dir, name, upper), o.Upper); err != nil {
			return err
		}
		if err := w.makeWork(filepath.Join(dir, name)); err != nil {
			return err
		}
		data = ",upperdir=" + escape(name+"/"+upper) + ",workdir=" + name + "/" + workDir
	}
	data = strings.Join(append([]string{"lowerdir=" + strings.Join(lower, ":") + data}, o.Options...), ",")
	flags := o.Flags
	if o.ReadOnly {
		flags |= unix.MS_RDONLY
	}
	if err := host.MountOverlay(dir, r.After, data, flags, w.IDs); err != nil {
		return err
	}
	// The overlay holds its layers itself: nothing of them stays in sight.
	for i := range w.layers {
		if err := unix.Unmount(filepath.Join(dir, strconv.Itoa(i)), unix.MNT_DETACH); err != nil {
			return err
		}
	}
	return nil
}

// layer holds a layer of the new mount open, as evidence.
func (r *Root) layer(path, before string) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("layer %s: %w", before, err)
	}
	r.Layers = append(r.Layers, Layer{Path: before, Fd: fd})
	return nil
}

// makeWork makes our work directory, as the root of the range: we are nobody on
// a mount whose owners are mapped. One that a volatile overlay had has the kernel's
// mark, which says that the files may not be whole (overlayfs.rst, "Volatile mount"):
// the engine, whose own directory had it too, has decided to take them.
func (w *work) makeWork(dir string) error {
	return host.As(w.IDs, func() error {
		err := unix.Mkdir(filepath.Join(dir, workDir), 0o700)
		if errors.Is(err, unix.EEXIST) {
			err = os.RemoveAll(filepath.Join(dir, workDir, "work/incompat"))
		}
		if err != nil {
			return fmt.Errorf("work directory: %w", err)
		}
		return nil
	})
}

// escape writes a name for overlay's options.
func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, ",", `\,`).Replace(s)
}

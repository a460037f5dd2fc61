// Package effects does the host work that a plan needs, and undoes it.
//
// Guarantees: what is mounted is the very file that was examined, although
// somebody else may change the path to it meanwhile; nothing of it appears on
// the host, and all of it is gone with the container, also after SIGKILL.
// Does not cover: sources that only root can change, which need no work.
// Requires: CAP_SYS_ADMIN, open_tree(2) and move_mount(2), kernel 5.2; that
// the caller stays on the thread that called Acquire until it has called
// execve.
// Spec fields touched: mounts[].source.
package effects

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// pinDir is the directory of the pinned sources, in the record's.
const pinDir = "pin"

// Pin is a mount's source that was replaced by a mount of the same file.
type Pin struct {
	Destination string
	Before      string // as the engine wrote it
	After       string // in the private mount namespace
	Fd          int    // of the file that was examined
}

// Acquired is host work that was done.
type Acquired struct {
	Pins []Pin
	base string // the mount point of the pins; "" is none
}

type tree struct {
	mount *specs.Mount
	pin   Pin
	fd    int // of the detached copy
	dir   bool
}

// Acquire makes the host ready for spec and rewrites what has to point to it.
// It does all of it or nothing.
func Acquire(spec *specs.Spec, facts map[string]host.Source, sources *host.Sources, dir string) (*Acquired, error) {
	trees, err := detach(spec, facts, sources)
	defer closeAll(trees)
	if err != nil || len(trees) == 0 {
		return &Acquired{}, err
	}
	a := &Acquired{base: filepath.Join(dir, pinDir)}
	if err := enter(a.base); err != nil {
		return nil, err
	}
	for i := range trees {
		t := &trees[i]
		t.pin.After = filepath.Join(a.base, strconv.Itoa(i))
		if err := attach(t); err != nil {
			return nil, fmt.Errorf("mounts[%s].source: %w", t.mount.Destination, joinUndo(err, a))
		}
		a.Pins = append(a.Pins, t.pin)
	}
	for _, t := range trees {
		t.mount.Source = t.pin.After
	}
	return a, nil
}

// detach copies the trees of the sources that somebody else could swap. It is
// done in the mount namespace that they were found in.
func detach(spec *specs.Spec, facts map[string]host.Source, sources *host.Sources) ([]tree, error) {
	var trees []tree
	for i := range spec.Mounts {
		m := &spec.Mounts[i]
		src, ok := facts[m.Source]
		if !ok || src.Steady {
			continue
		}
		fd, ok := sources.Fd(m.Source)
		if !ok {
			return trees, fmt.Errorf("mounts[%s].source: not held open", m.Destination)
		}
		flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH)
		if !slices.Contains(m.Options, "bind") {
			flags |= unix.AT_RECURSIVE
		}
		copied, err := unix.OpenTree(fd, "", flags)
		if err != nil {
			return trees, fmt.Errorf("mounts[%s].source: others than root can change the path, and it cannot be held: open_tree: %w", m.Destination, err)
		}
		trees = append(trees, tree{mount: m, fd: copied, dir: src.Dir, pin: Pin{Destination: m.Destination, Before: m.Source, Fd: fd}})
	}
	return trees, nil
}

func closeAll(trees []tree) {
	for _, t := range trees {
		_ = unix.Close(t.fd)
	}
}

// enter moves this thread into a mount namespace of its own, into which the
// host's mounts come and from which none goes back, with an empty file system
// at base.
func enter(base string) error {
	if err := unix.Mkdir(base, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", base, err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("private mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("private mount namespace: propagation: %w", err)
	}
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700,size=64k"); err != nil {
		return fmt.Errorf("private mount namespace: %s: %w", base, err)
	}
	return nil
}

func attach(t *tree) error {
	if t.dir {
		if err := unix.Mkdir(t.pin.After, 0o700); err != nil {
			return err
		}
	} else {
		fd, err := unix.Open(t.pin.After, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return err
		}
		_ = unix.Close(fd)
	}
	if err := unix.MoveMount(t.fd, "", unix.AT_FDCWD, t.pin.After, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	// The copy of a shared mount is its peer: cut the way back to the host.
	if err := unix.Mount("", t.pin.After, "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("propagation: %w", err)
	}
	return nil
}

func joinUndo(err error, a *Acquired) error {
	if uerr := a.Undo(); uerr != nil {
		return fmt.Errorf("%w (and: %w)", err, uerr)
	}
	return err
}

// Undo takes the pins away. The private mount namespace itself goes with this
// process.
func (a *Acquired) Undo() error {
	if a == nil || a.base == "" {
		return nil
	}
	if err := unix.Unmount(a.base, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("undo: %s: %w", a.base, err)
	}
	a.base = ""
	return nil
}

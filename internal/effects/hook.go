package effects

import (
	"fmt"
	"path/filepath"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Hook is a hook whose path was replaced by one of the program that was
// examined, whatever becomes of the process that named it.
type Hook struct {
	Before string // as the engine wrote it
	After  string // in the private mount namespace
	Fd     int    // of the program that was examined
	at     *specs.Hook
	copied int // descriptor of the detached copy
}

// detachHooks copies the programs of the hooks that are named by a process. Those
// of later stages run where our mounts are not: no policy admits them.
func (w *work) detachHooks() error {
	h := w.Spec.Hooks
	if h == nil || !w.Facts.MayMount {
		return nil
	}
	for _, stage := range [][]specs.Hook{
		h.Prestart, //nolint:staticcheck // deprecated, but Docker uses it and runc runs it
		h.CreateRuntime, h.CreateContainer,
	} {
		for i := range stage {
			fd, ok := w.Sources.Hook(stage[i].Path)
			if !ok {
				continue
			}
			copied, err := unix.OpenTree(fd, "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
			if err != nil {
				return fmt.Errorf("hooks: %s: it cannot be held: open_tree: %w", stage[i].Path, err)
			}
			w.hooks = append(w.hooks, Hook{Before: stage[i].Path, Fd: fd, at: &stage[i], copied: copied})
		}
	}
	return nil
}

// holdHooks attaches the copies.
func (w *work) holdHooks(a *Acquired) error {
	for i, h := range w.hooks {
		h.After = filepath.Join(a.base, "hook-"+strconv.Itoa(i))
		if err := attach(h.copied, h.After, false); err != nil {
			return fmt.Errorf("hooks: %s: %w", h.Before, err)
		}
		a.Hooks = append(a.Hooks, h)
	}
	return nil
}

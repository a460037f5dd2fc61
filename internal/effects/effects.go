// Package effects does the host work that a plan needs, and undoes it.
//
// Guarantees: the file that is mounted is the very one that was examined, although
// somebody else may change the path to it meanwhile; the same holds for a namespace
// that is joined and for a hook that a process names; with a user namespace the
// files of the root file system and of the volumes have the same owners inside as
// on disk, and each device node has the numbers that were asked for; all is done or
// nothing; nothing of it appears on the host, and all of it is gone with the
// container, also after SIGKILL.
// Does not cover: changes by root or by ourselves on the way to a path, without
// CAP_SYS_ADMIN; a path that others can change is not handed on then. A joined
// mount namespace, which the kernel mounts in no younger one, stays a path.
// Requires: CAP_SYS_ADMIN, open_tree(2) and move_mount(2), kernel 5.2; with a
// user namespace mount_setattr(2), 5.12, and for overlay 5.19; that the caller
// stays on the thread that called Acquire until it has called execve.
// Spec fields touched: mounts[].source, root.path, linux.namespaces[].path,
// hooks, linux.devices and mounts for them.
package effects

import (
	"errors"
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// mountDir is the directory of the private mounts, in the state directory. All
// containers have the same, each on a mount of its own. The root of a user
// namespace must be able to pass through it.
const mountDir = "@mnt"

// rootDir is the directory of the root file system in it.
const rootDir = "root"

// Request is what the host work is for.
type Request struct {
	Spec     *specs.Spec
	Facts    host.Facts
	Sources  *host.Sources
	Volumes  policy.VolumeRules
	StateDir string
	// IDs are the container's ids on the host; empty where it gets no user
	// namespace from us.
	IDs host.IDRange
	// Step is called between the steps; an error of it ends the work. nil is
	// none.
	Step func(name string) error
}

// Acquired is host work that was done.
type Acquired struct {
	Pins    []Pin
	Spaces  []Space
	Hooks   []Hook
	Root    *Root
	Devices []Device
	Sysfs   []Sysfs
	base    string // the mount point; "" is none
	stdio   []owner
}

// Acquire makes the host ready for the spec and rewrites what has to point to
// it. It does all of it or nothing.
func Acquire(r Request) (*Acquired, error) {
	w := &work{Request: r, userns: -1, root: -1}
	defer w.close()
	a := &Acquired{}
	err := w.prepare()
	if err == nil {
		err = r.streams().Keep()
	}
	switch {
	case err != nil:
	case r.Facts.MayMount || len(w.trees) > 0 || !r.IDs.Empty():
		err = w.mount(a)
	default:
		err = w.name(a)
	}
	if err != nil {
		return nil, joinUndo(err, a)
	}
	return a, nil
}

// work is host work under way.
type work struct {
	Request
	userns int // descriptor of a user namespace with the mapping
	trees  []tree
	layers []int // detached copies of the overlay's layers, the upper one's directory first
	hooks  []Hook
	root   int // detached copy of the whole root; -1 is none
}

func (w *work) close() {
	closeAll(w.trees)
	for _, h := range w.hooks {
		_ = unix.Close(h.copied)
	}
	for _, fd := range append(w.layers, w.userns, w.root) {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// prepare makes the detached copies, in the mount namespace that the files
// were found in.
func (w *work) prepare() (err error) {
	if !w.IDs.Empty() {
		if w.userns, err = host.UserNamespace(w.IDs); err != nil {
			return err
		}
		if err := w.step("carrier"); err != nil {
			return err
		}
	}
	if w.Facts.MayMount || !w.IDs.Empty() {
		if err := w.detachRoot(); err != nil {
			return fmt.Errorf("root.path: %w", err)
		}
	}
	if err = w.detachHooks(); err != nil {
		return err
	}
	if w.trees, err = w.detach(); err != nil {
		return err
	}
	return w.step("detached")
}

func (w *work) step(name string) error {
	if w.Step == nil {
		return nil
	}
	return w.Step(name)
}

// mount attaches them in a mount namespace of our own.
func (w *work) mount(a *Acquired) error {
	base := filepath.Join(w.StateDir, mountDir)
	if err := enter(base); err != nil {
		return err
	}
	a.base = base
	if err := w.step("entered"); err != nil {
		return err
	}
	for i := range w.trees {
		if err := w.pin(a, i); err != nil {
			return err
		}
	}
	for _, do := range []func(*Acquired) error{w.attachRoot, w.holdSpaces, w.holdHooks} {
		if err := do(a); err != nil {
			return err
		}
	}
	if err := w.step("pinned"); err != nil {
		return err
	}
	if !w.IDs.Empty() {
		for _, do := range []func(*Acquired) error{w.stage, w.network, w.giveStdio} {
			if err := do(a); err != nil {
				return err
			}
		}
	}
	w.rewrite(a)
	return w.step("mounted")
}

// rewrite lets the spec point to what was mounted.
func (w *work) rewrite(a *Acquired) {
	for _, p := range a.Pins {
		w.Spec.Mounts[p.index].Source = p.After
	}
	if a.Root != nil {
		w.Spec.Root.Path = a.Root.After
	}
	for _, s := range a.Spaces {
		w.Spec.Linux.Namespaces[s.index].Path = s.After
	}
	for _, h := range a.Hooks {
		h.at.Path = h.After
	}
	for _, s := range a.Sysfs {
		for i := range w.Spec.Mounts {
			if m := &w.Spec.Mounts[i]; m.Type == "sysfs" && m.Destination == s.Destination {
				m.Type, m.Source, m.Options = "bind", s.Source, append([]string{"bind"}, m.Options...)
			}
		}
	}
	for _, d := range a.Devices {
		w.Spec.Mounts = append(w.Spec.Mounts, specs.Mount{
			Destination: d.Path, Type: "bind", Source: d.Source, Options: []string{"bind", "nosuid", "noexec"},
		})
	}
	if !w.IDs.Empty() && w.Spec.Linux != nil {
		w.Spec.Linux.Devices = nil // staged, or made by the low-level runtime
	}
}

func joinUndo(err error, a *Acquired) error {
	if uerr := a.Undo(); uerr != nil {
		return fmt.Errorf("%w (and: %w)", err, uerr)
	}
	return err
}

// Base is where the private mounts are, "" where none were needed.
func (a *Acquired) Base() string { return a.base }

// Undo takes the mounts away and gives standard streams back. The private
// mount namespace itself goes with this process.
func (a *Acquired) Undo() error {
	if a == nil {
		return nil
	}
	var errs []error
	for _, o := range a.stdio {
		errs = append(errs, unix.Fchown(o.fd, o.uid, o.gid))
	}
	a.stdio = nil
	if a.base != "" {
		if err := unix.Unmount(a.base, unix.MNT_DETACH); err != nil {
			errs = append(errs, fmt.Errorf("undo: %s: %w", a.base, err))
		}
		a.base = ""
	}
	return errors.Join(errs...)
}

package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

var errNotSeen = errors.New("the command does not see it: grant it with --ro or --rw")

// start sets the directory in which the command begins.
func (f *runFlags) start(b *sandbox.Box) error {
	if f.workdir == "" {
		return nil
	}
	dir := f.workdir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(b.Cwd, dir)
	}
	if dir = filepath.Clean(dir); !b.Sees(dir) {
		return fmt.Errorf("--workdir %s: %w", f.workdir, errNotSeen)
	}
	b.Cwd = dir
	return nil
}

// narrow narrows the box by what the program says that started us. It is as a
// repository's file, and widens as little.
func (f *runFlags) narrow(b *sandbox.Box, overlay *bool) error {
	if f.narrowFd == "" {
		return nil
	}
	file, err := given(f.narrowFd, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxNarrow+1))
	if err != nil {
		return err
	}
	if len(text) > maxNarrow {
		return fmt.Errorf("%w: larger than 64 KiB", sandbox.ErrNarrow)
	}
	n, err := sandbox.ParseNarrow(text)
	if err != nil {
		return err
	}
	return f.narrowBy(n, b, overlay, "/")
}

// narrowBy applies what narrows, with paths below root.
func (f *runFlags) narrowBy(n *sandbox.Narrow, b *sandbox.Box, overlay *bool, root string) (err error) {
	if n.Allow != nil {
		if n.Allow, err = allowed(n.Allow, f.registries); err != nil {
			return err
		}
	}
	*overlay = *overlay || n.Overlay != nil
	return n.Apply(b, root, units.RAMInBytes, func(p string) (sandbox.Grant, error) { return grant(root, p, true, false) })
}

package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/layer"
)

// prepare looks through what is granted, and makes the bundle.
func (b *box) prepare() (err error) {
	if b.was, err = look(&b.Box); err != nil {
		return err
	}
	if err := b.Box.Search(b.Homes); err != nil {
		return err
	}
	if b.place, err = newPlace(b.Places.Bundles, b.Box.ID); err != nil {
		return err
	}
	if b.Overlay {
		if err := b.copy(); err != nil {
			return err
		}
	}
	if b.standins, err = standFor(b.place, &b.Box); err != nil {
		return err
	}
	return b.write()
}

// copy puts a copy in the place of each directory that can be written to. It has
// nothing that is hidden.
func (b *box) copy() error {
	if _, err := os.Lstat(filepath.Join(b.Places.Layers, b.Box.ID)); err == nil {
		return fmt.Errorf("changes of a run %s wait: hatchctl run apply or discard", b.Box.ID)
	}
	for i := range b.Box.Grants {
		g := &b.Box.Grants[i]
		if !g.Write {
			continue
		}
		if !g.Dir {
			return fmt.Errorf("--overlay: %s is a file: grant its directory", g.Path)
		}
		if inner := b.Box.InnerOf(g.Path); inner != "" {
			return fmt.Errorf("--overlay: %s lies in %s: grant one of them", inner, g.Path)
		}
		l, err := layer.Copy(b.Places.Layers, b.Box.ID, i, g.Path, b.Box.Hides)
		if err != nil {
			return errors.Join(fmt.Errorf("--overlay: %w", err), layer.Discard(b.Places.Layers, b.Box.ID))
		}
		g.From = l.Tree()
		b.copied = true
	}
	var err error
	b.was, err = look(&b.Box)
	return err
}

// uncopy takes the copies away of a command that was not started.
func (b *box) uncopy() error {
	if !b.copied {
		return nil
	}
	return layer.Discard(b.Places.Layers, b.Box.ID)
}

func (b *box) write() error {
	if b.Box.Named() {
		b.Box.Resolv = b.place.path("resolv.conf")
		if err := os.WriteFile(b.Box.Resolv, []byte(sandbox.ResolvConf), 0o644); err != nil { //nolint:gosec // the command reads it
			return err
		}
	}
	if err := skeleton(b.place.path("rootfs"), &b.Box); err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	spec, err := json.Marshal(b.Box.Spec())
	if err != nil {
		return err
	}
	policy, err := b.Box.Policy(b.Profile)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(b.place.path("config.json"), spec, 0o600), os.WriteFile(b.place.path("policy.yaml"), policy, 0o600))
}

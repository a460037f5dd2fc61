package effects

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

var errNotHeld = errors.New("it was not examined")

// name does without mounts: what was examined is handed on by a path that does
// not depend on where it is read, and that nobody but root and we can change.
func (w *work) name(a *Acquired) error {
	for i, m := range w.Spec.Mounts {
		if _, ok := w.Facts.Sources[m.Source]; !ok || !isBind(m) || filepath.IsAbs(m.Source) {
			continue
		}
		fd, ok := w.Sources.Fd(m.Source)
		if !ok {
			return fmt.Errorf("mounts[%s].source: %w", m.Destination, errNotHeld)
		}
		a.Pins = append(a.Pins, Pin{
			Destination: m.Destination, Before: m.Source, After: filepath.Join(w.Facts.Bundle, m.Source), Fd: fd, index: i,
		})
	}
	if w.Spec.Root != nil && w.Facts.Root != nil {
		r := &Root{Before: w.Spec.Root.Path, After: w.Spec.Root.Path}
		if !filepath.IsAbs(r.After) {
			r.After = filepath.Join(w.Facts.Bundle, r.After)
		}
		var ok bool
		if r.Fd, ok = w.Sources.Root(); !ok {
			return fmt.Errorf("root.path: %w", errNotHeld)
		}
		if !bundle.Steady(r.After) {
			return fmt.Errorf("root.path: %w", bundle.ErrUnsteady)
		}
		a.Root = r
	}
	w.rewrite(a)
	return w.step("named")
}

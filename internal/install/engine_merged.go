package install

import (
	"path/filepath"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// crio is CRI-O.
type crio struct{}

var _ Engine = crio{}

func (crio) Config() engine.Config { return configOf(engine.CRIOName) }
func (c crio) Targets(p Place) ([]Target, error) {
	return []Target{{p.edited(c.Config()), CRIO()}}, nil
}
func (c crio) Find(p Place) (Found, bool)   { return merged(p, c.Config(), crioTables()) }
func (crio) Validate(Place, *Options) error { return nil }
func (crio) Restart(Place) string           { return "systemctl restart crio" }
func (crio) Alive(Place) string             { return "systemctl is-active --quiet crio" }

// podman has no daemon: each command reads its files.
type podman struct{}

var _ Engine = podman{}

func (podman) Config() engine.Config { return configOf(engine.PodmanName) }
func (e podman) Targets(p Place) ([]Target, error) {
	return []Target{{p.edited(e.Config()), Podman()}}, nil
}
func (e podman) Find(p Place) (Found, bool)   { return merged(p, e.Config(), podmanTables()) }
func (podman) Validate(Place, *Options) error { return nil }
func (podman) Restart(Place) string           { return "true" }
func (podman) Alive(Place) string             { return "podman info" }

// merged reads an engine whose drop-ins are in FILE.d: what hatchctl writes
// there, or an administrator in its words. Its files come without it too
// (containers-common), so they do not say that it is there.
func merged(p Place, c engine.Config, of tables) (Found, bool) {
	f := Found{Config: filepath.Join(p.Root, c.File)}
	if !p.has(c) {
		return f, false
	}
	dropIns, _ := filepath.Glob(f.Config + ".d/*.conf") // only a bad pattern is an error
	var files [][]byte
	for _, name := range append([]string{f.Config}, dropIns...) {
		raw, err := look(name)
		if err != nil {
			f.Err = err
			return f, true
		}
		files = append(files, raw)
	}
	f.State, f.Err = mergedState(of, files...)
	return f, true
}

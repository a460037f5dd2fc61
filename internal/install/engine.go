package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// Engine is an engine whose containers can run under hatchdog: how it is told of
// its runtimes, and how it is asked. How its bundles are told is engine.Engine.
type Engine interface {
	// Config is its name, its files and its programs.
	Config() engine.Config
	// Targets lists the files to edit.
	Targets(Place) ([]Target, error)
	// Find reads what its files say of hatchdog; false is an engine that is not
	// there.
	Find(Place) (Found, bool)
	// Validate has the engine read its files, and looks for o in what it makes of
	// them; o is nil where hatchdog is not to be in them. An engine that is not
	// installed, or of a release that cannot, is not asked.
	Validate(p Place, o *Options) error
	// Restart and Alive are shell commands: the one makes the engine read its
	// files, the other succeeds when it is back.
	Restart(Place) string
	Alive(Place) string
}

// Place is where an engine is installed.
type Place struct {
	// Root is "/" but in tests and images.
	Root string
	// Config names the file to edit; "" is where the engine has it.
	Config string
	// Version is that of the engine ("2.4.2"); "" is what its program says.
	Version string
}

// Target is one file of an engine and how it is written.
type Target struct {
	Path   string
	Format Format
}

// Found is what an engine's files say.
type Found struct {
	Config string // the file that was read
	State
	Err error // it could not be read
}

// Engines are those that hatchctl knows, in the order in which it shows them.
func Engines() []Engine { return []Engine{docker{}, containerd{}, crio{}, podman{}} }

// Names are theirs.
func Names() []string {
	var all []string
	for _, e := range Engines() {
		all = append(all, e.Config().Name)
	}
	return all
}

// EngineOf finds one of Engines.
func EngineOf(name string) (Engine, error) {
	for _, e := range Engines() {
		if e.Config().Name == name {
			return e, nil
		}
	}
	return nil, fmt.Errorf("engine %q: not one of %s", name, strings.Join(Names(), ", "))
}

// configOf is the row of an engine in the table.
func configOf(name string) engine.Config {
	c, _ := engine.ConfigOf(name) // a test looks every one up
	return c
}

// edited is the file that hatchctl writes.
func (p Place) edited(c engine.Config) string {
	if p.Config != "" {
		return p.Config
	}
	return filepath.Join(p.Root, c.Edited())
}

// has looks for one of an engine's programs.
func (p Place) has(c engine.Config) bool {
	for _, program := range c.Programs {
		for _, dir := range []string{"usr/bin", "usr/local/bin", "usr/sbin", "usr/local/sbin", "bin"} {
			if executable(filepath.Join(p.Root, dir, program)) {
				return true
			}
		}
	}
	return false
}

// look reads a file as it is; one that is not there is nil. It is only shown:
// what is edited is read by readConfig.
func look(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

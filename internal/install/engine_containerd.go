package install

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// containerd is a containerd behind a kubelet, that of k3s or rke2 where one of
// them brings it.
type containerd struct{}

var _ Engine = containerd{}

func (containerd) Config() engine.Config { return configOf(engine.ContainerdName) }

// Targets edits the main file, and makes one where there is none: what a
// drop-in is merged with differs from release to release, and no release reads
// conf.d without a main file that imports it.
func (c containerd) Targets(p Place) ([]Target, error) {
	if _, dir := bundled(p); dir != "" {
		return []Target{rancher(dir)}, nil
	}
	version := 3
	if v := VersionOf(c.Config(), p); v != "" && major(v) < 2 {
		version = 2
	}
	return []Target{{p.edited(c.Config()), Containerd{Version: version}}}, nil
}

// Find asks the program, which knows its imports; where it is not there, the
// file alone.
func (c containerd) Find(p Place) (Found, bool) {
	f := Found{Config: filepath.Join(p.Root, c.Config().File)}
	_, dir := bundled(p)
	if dir != "" { // what k3s and rke2 make of their template
		f.Config = filepath.Join(dir, "config.toml")
	}
	raw, err := look(f.Config)
	if raw == nil && err == nil && !p.has(c.Config()) {
		return f, false
	}
	if path, lerr := exec.LookPath("containerd"); p.Root == "/" && dir == "" && lerr == nil {
		if dumped, derr := exec.Command(path, "config", "dump").Output(); derr == nil {
			raw, err = dumped, nil
		}
	}
	if err == nil {
		f.State, err = ContainerdState(raw)
	}
	f.Err = err
	return f, true
}

var errOverruled = errors.New("a file that containerd's configuration imports overrules it: write it there")

func (containerd) Validate(p Place, o *Options) error {
	if _, dir := bundled(p); p.Root != "/" || dir != "" {
		return nil
	}
	if _, err := exec.LookPath("containerd"); err != nil {
		return nil
	}
	args := []string{"containerd", "config", "dump"}
	if p.Config != "" {
		args = []string{"containerd", "--config", p.Config, "config", "dump"}
	}
	read, err := ask(args...)
	if err != nil || o == nil {
		return err
	}
	state, err := ContainerdState(read)
	switch {
	case err != nil:
		return fmt.Errorf("containerd config dump: %w", err)
	case !state.Known:
		return fmt.Errorf("the runtime hatchdog: %w", errOverruled)
	case o.SetDefault && !state.Default:
		return fmt.Errorf("the default runtime: %w", errOverruled)
	}
	return nil
}

func (containerd) Restart(p Place) string {
	if name, _ := bundled(p); name != "" {
		return "systemctl try-restart '" + name + "*.service'" // the server's or the agent's
	}
	return "systemctl restart containerd"
}

func (containerd) Alive(p Place) string {
	if name, _ := bundled(p); name != "" {
		return "systemctl is-active --quiet '" + name + "*.service'"
	}
	return "ctr version"
}

// bundled is the name and the directory of k3s or rke2 where the containerd to
// edit is theirs.
func bundled(p Place) (name, dir string) {
	for _, b := range engine.Bundled() {
		dir := filepath.Join(p.Root, b[1])
		if p.Config == "" && isDir(dir) {
			return b[0], dir
		}
	}
	return "", ""
}

func major(version string) int {
	n, _, _ := strings.Cut(version, ".")
	v, err := strconv.Atoi(n)
	if err != nil {
		return 0
	}
	return v
}

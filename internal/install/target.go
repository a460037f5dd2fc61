package install

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// Target is one file of an engine and how it is written.
type Target struct {
	Path   string
	Format Format
}

// Engine is an engine as it is installed.
type Engine struct {
	Name string
	// Root is "/" but in tests and images.
	Root string
	// Config names the file to edit; "" is where the engine has it.
	Config string
	// Version is that of the engine ("2.4.2"), "" if it is not known.
	Version string
}

// Engines are those that Targets knows.
func Engines() []string {
	var all []string
	for _, c := range engine.Configs() {
		all = append(all, c.Name)
	}
	return all
}

// Targets lists the files to edit.
func (e Engine) Targets() ([]Target, error) {
	c, _ := engine.ConfigOf(e.Name)
	at := e.Config
	if at == "" {
		at = filepath.Join(e.Root, c.Edited())
	}
	switch e.Name {
	case engine.DockerName:
		all := []Target{{at, Docker{}}}
		if e.Config == "" && isDir(filepath.Join(e.Root, "etc/systemd/system")) {
			all = append(all, Target{filepath.Join(e.Root, "etc/systemd/system/docker.service.d/hatchdog.conf"), BuildKit()})
		}
		return all, nil
	case engine.ContainerdName:
		return e.containerd(at)
	case engine.CRIOName:
		return []Target{{at, CRIO()}}, nil
	case engine.PodmanName:
		return []Target{{at, Podman()}}, nil
	}
	return nil, fmt.Errorf("engine %q: not one of %s", e.Name, strings.Join(Engines(), ", "))
}

// containerd edits the main file, and makes one where there is none: what a
// drop-in is merged with differs from release to release, and no release reads
// conf.d without a main file that imports it.
func (e Engine) containerd(at string) ([]Target, error) {
	version := 3
	if e.Version != "" && major(e.Version) < 2 {
		version = 2
	}
	if _, dir := e.bundled(); dir != "" {
		return []Target{rancher(dir)}, nil
	}
	return []Target{{at, Containerd{Version: version}}}, nil
}

// bundled is the name and the directory of k3s or rke2 where the containerd to
// edit is theirs.
func (e Engine) bundled() (name, dir string) {
	for _, b := range engine.Bundled() {
		dir := filepath.Join(e.Root, b[1])
		if e.Name == engine.ContainerdName && e.Config == "" && isDir(dir) {
			return b[0], dir
		}
	}
	return "", ""
}

// Distribution is k3s or rke2 where the containerd to edit is theirs.
func (e Engine) Distribution() string {
	name, _ := e.bundled()
	return name
}

// Rendered is the file that k3s or rke2 make of their template, "" for any other
// containerd.
func (e Engine) Rendered() string {
	if _, dir := e.bundled(); dir != "" {
		return filepath.Join(dir, "config.toml")
	}
	return ""
}

// rancher is the template that k3s and rke2 render config.toml from.
func rancher(dir string) Target {
	generated, _ := os.ReadFile(filepath.Join(dir, "config.toml")) // not there before the first start
	if t, err := parseTOML(generated); err == nil && t["version"] == int64(3) {
		return Target{filepath.Join(dir, "config-v3.toml.tmpl"), Template{Containerd{Fragment: true, Version: 3}}}
	}
	return Target{filepath.Join(dir, "config.toml.tmpl"), Template{Containerd{Fragment: true, Version: 2}}}
}

// Template is a template of k3s or rke2: ours begins with their own.
type Template struct{ Containerd }

const base = "{{ template \"base\" . }}\n"

// Add appends the block to the template.
func (t Template) Add(raw []byte, o Options) ([]byte, error) {
	if raw == nil {
		raw = []byte(base)
	}
	if o.SetDefault && bytes.Contains(raw, []byte(`template "base"`)) {
		// The base has that table already, and TOML takes no table twice.
		return nil, fmt.Errorf("%w: start k3s or rke2 with --default-runtime=%s", ErrDefault, name)
	}
	return t.Containerd.Add(raw, o)
}

// Remove takes the block away, and a template that held nothing else.
func (t Template) Remove(raw []byte) ([]byte, error) {
	clean, err := t.Containerd.Remove(raw)
	if err == nil && !bytes.Equal(clean, raw) && string(clean) == base {
		return nil, nil
	}
	return clean, err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func major(version string) int {
	n, _, _ := strings.Cut(version, ".")
	v, err := strconv.Atoi(n)
	if err != nil {
		return 0
	}
	return v
}

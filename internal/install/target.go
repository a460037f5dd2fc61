package install

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
func Engines() []string { return []string{"docker", "containerd", "crio", "podman"} }

// Targets lists the files to edit.
func (e Engine) Targets() ([]Target, error) {
	at := func(path string) string {
		if e.Config != "" {
			return e.Config
		}
		return filepath.Join(e.Root, path)
	}
	switch e.Name {
	case "docker":
		all := []Target{{at("etc/docker/daemon.json"), Docker{}}}
		if e.Config == "" && isDir(filepath.Join(e.Root, "etc/systemd/system")) {
			all = append(all, Target{filepath.Join(e.Root, "etc/systemd/system/docker.service.d/hatchdog.conf"), BuildKit()})
		}
		return all, nil
	case "containerd":
		return e.containerd()
	case "crio":
		return []Target{{at("etc/crio/crio.conf.d/99-hatchdog.conf"), CRIO()}}, nil
	case "podman":
		return []Target{{at("etc/containers/containers.conf.d/99-hatchdog.conf"), Podman()}}, nil
	}
	return nil, fmt.Errorf("engine %q: not one of %s", e.Name, strings.Join(Engines(), ", "))
}

// containerd edits the main file, and makes one where there is none: what a
// drop-in is merged with differs from release to release, and no release reads
// conf.d without a main file that imports it.
func (e Engine) containerd() ([]Target, error) {
	version := 3
	if e.Version != "" && major(e.Version) < 2 {
		version = 2
	}
	if e.Config != "" {
		return []Target{{e.Config, Containerd{Version: version}}}, nil
	}
	if d := e.Distribution(); d != "" {
		return []Target{rancher(filepath.Join(e.Root, rancherDir, d, containerdDir))}, nil
	}
	return []Target{{filepath.Join(e.Root, "etc/containerd/config.toml"), Containerd{Version: version}}}, nil
}

// Where k3s and rke2 keep what they tell the containerd that they bring.
const (
	rancherDir    = "var/lib/rancher"
	containerdDir = "agent/etc/containerd"
)

// Distribution is k3s or rke2 where the containerd to edit is theirs.
func (e Engine) Distribution() string {
	for _, d := range []string{"k3s", "rke2"} {
		if e.Name == "containerd" && e.Config == "" && isDir(filepath.Join(e.Root, rancherDir, d, containerdDir)) {
			return d
		}
	}
	return ""
}

// Rendered is the file that k3s or rke2 make of their template, "" for any other
// containerd.
func (e Engine) Rendered() string {
	if d := e.Distribution(); d != "" {
		return filepath.Join(e.Root, rancherDir, d, containerdDir, "config.toml")
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

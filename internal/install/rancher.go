package install

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

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

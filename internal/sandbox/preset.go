package sandbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// Preset is what a kind of command needs beyond the defaults. Flags count more.
type Preset struct {
	Description string            `yaml:"description"`
	Exec        bool              `yaml:"exec"`
	Memory      string            `yaml:"memory"`
	Output      string            `yaml:"output"`
	Tmp         string            `yaml:"tmp"`
	Pids        int64             `yaml:"pids"`
	CPU         float64           `yaml:"cpu"`
	Time        time.Duration     `yaml:"time"`
	Env         []string          `yaml:"env"` // handed on where the caller has them
	Set         map[string]string `yaml:"set"`
	// Registries are what --allow registries opens: names with their ports.
	Registries []string `yaml:"registries"`
}

// ErrPreset means that there is no preset of a name.
var ErrPreset = errors.New("no such preset")

// Presets are the names.
func Presets() []string {
	entries, err := presetFiles.ReadDir("presets")
	if err != nil {
		return nil // they are in this program
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(all)
	return all
}

// PresetText is the file of a preset.
func PresetText(name string) ([]byte, error) {
	if !slices.Contains(Presets(), name) {
		return nil, fmt.Errorf("%q: %w: there are %s", name, ErrPreset, strings.Join(Presets(), ", "))
	}
	return presetFiles.ReadFile("presets/" + name + ".yaml")
}

// LoadPreset reads one.
func LoadPreset(name string) (*Preset, error) {
	text, err := PresetText(name)
	if err != nil {
		return nil, err
	}
	p := &Preset{}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	return p, nil
}

// Variables are what the preset sets, as NAME=VALUE, and hands on of the caller's.
func (p *Preset) Variables(caller []string) []string {
	var all []string
	for name, value := range p.Set {
		all = append(all, name+"="+value)
	}
	for _, e := range caller {
		if name, _, ok := strings.Cut(e, "="); ok && slices.Contains(p.Env, name) {
			all = append(all, e)
		}
	}
	slices.Sort(all)
	return all
}

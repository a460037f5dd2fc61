package sandbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/egress"
)

func TestPresets(t *testing.T) {
	want := []string{"agent", "cargo", "ci", "go", "make", "maven", "none", "npm", "pip", "pnpm", "shell", "uv"}
	if got := Presets(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	for _, name := range Presets() {
		p, err := LoadPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		if p.Description == "" {
			t.Errorf("%s does not say what it is for", name)
		}
		for _, text := range p.Registries {
			if e, err := egress.Parse(text); err != nil || e.Host == "" || e.Private || strings.Contains(e.Host, "*") {
				t.Errorf("%s: %s: %v", name, text, err)
			}
		}
		for name, value := range p.Set {
			if strings.Contains(value, "/home") || strings.HasPrefix(name, "LD_") {
				t.Errorf("%s=%s", name, value)
			}
		}
	}
	if _, err := LoadPreset("../x"); err == nil {
		t.Error("a path is a preset")
	}
	p := &Preset{Env: []string{"A"}, Set: map[string]string{"B": "2"}}
	if got := p.Variables([]string{"A=1", "AA=3", "SECRET=x"}); !slices.Equal(got, []string{"A=1", "B=2"}) {
		t.Error(got)
	}
}

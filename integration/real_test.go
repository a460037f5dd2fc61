package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newReal calls hatchdog as an engine does, with a low-level runtime that is
// what it says: runtime is the policy's.
func newReal(t *testing.T, runtime, extra string) *direct {
	t.Helper()
	d := newDirect(t)
	d.piped = strings.Contains(runtime, "crun")
	text := fmt.Sprintf("version: 1\nstateDir: %s/state\naudit: {path: %s/log/audit.jsonl}\nruntime: %s\n%s", d.dir, d.dir, runtime, extra)
	must(t, os.WriteFile(d.policy, []byte(text), 0o600))
	d.bundle = makeBundle(t, "while :; do read -t 1 x; done")
	t.Cleanup(func() { d.call(t, nil, "delete", "--force", "c1") })
	return d
}

// spec is a config.json that a test changes as it likes.
type spec map[string]any

func (s spec) linux() map[string]any     { return within(s, "linux") }
func (s spec) resources() map[string]any { return within(s.linux(), "resources") }

func within(m map[string]any, key string) map[string]any {
	if _, ok := m[key].(map[string]any); !ok {
		m[key] = map[string]any{}
	}
	return m[key].(map[string]any)
}

// editDocument changes the bundle's config.json.
func editDocument(t *testing.T, bundle string, edit func(spec)) {
	t.Helper()
	path := filepath.Join(bundle, "config.json")
	raw, err := os.ReadFile(path)
	must(t, err)
	var s spec
	must(t, json.Unmarshal(raw, &s))
	edit(s)
	raw, err = json.Marshal(s)
	must(t, err)
	must(t, os.WriteFile(path, raw, 0o600))
}

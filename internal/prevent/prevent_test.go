package prevent

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	pins "github.com/hatchdog/hatchdog/internal/effects/prevent"
)

// What create looks for is what is loaded.
func TestEachProgramIsLookedFor(t *testing.T) {
	var loaded []string
	for _, h := range hooks() {
		if !slices.Contains(h.deny.Hooks(), h.name) {
			t.Errorf("%s is not looked for where %b is denied", h.name, h.deny)
		}
		loaded = append(loaded, h.name)
	}
	for _, name := range pins.All.Hooks() {
		if name != "cgroup_rmdir" && !slices.Contains(loaded, name) {
			t.Errorf("%s is looked for and never loaded", name)
		}
	}
}

func TestWhatAHostLacks(t *testing.T) {
	lsm := filepath.Join(t.TempDir(), "lsm")
	g := Guard{Dir: filepath.Join(t.TempDir(), "hatchdog", "v1"), LSM: lsm}
	if err := g.Load(); err == nil {
		t.Error("loaded where nobody knows the security modules")
	}
	for list, want := range map[string]string{
		"lockdown,capability,bpfx\n": "now: lockdown,capability,bpfx)",
		"capability,bpf\n":           "no bpffs is mounted",
	} {
		if err := os.WriteFile(lsm, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := g.Load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", list, err)
		}
	}
	if _, err := g.Held(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("held: %v", err)
	}
}

// Each jump of a program leads somewhere, and each label stands once.
func TestProgramsAreWhole(t *testing.T) {
	for _, h := range hooks() {
		if err := program(h, 0, offsets{}).Marshal(io.Discard, binary.LittleEndian); err != nil {
			t.Errorf("%s: %v", h.name, err)
		}
	}
}

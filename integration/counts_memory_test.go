package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// memoryFile holds what the doors allocated when that was written down.
const memoryFile = "testdata/allocations.json"

// footprint is what a door takes of memory until it becomes the low-level runtime.
type footprint struct {
	Objects int `json:"objects"` // allocated
	Bytes   int `json:"bytes"`   // allocated
	Peak    int `json:"peak"`    // KiB resident at most
}

// most is how much more a door may take before somebody has to say that it may.
// What is resident depends on the kernel and on when the collector runs too.
func (h footprint) most() footprint {
	return footprint{h.Objects + h.Objects/20 + 50, h.Bytes + h.Bytes/20 + 8192, h.Peak + h.Peak/8 + 512}
}

// telling is the build of hatchdog that says what it allocated.
func telling(t *testing.T) string {
	t.Helper()
	program := filepath.Join(tested.dir, "telling")
	mustRun(t, "env", "CGO_ENABLED=0", "go", "build", "-tags", "hatchdog_phases", "-o", program, "../cmd/hatchdog")
	return program
}

// memory is what the doors take of memory that have steps, in the life of a
// container.
func (c *caller) memory(t *testing.T, id string) map[string]footprint {
	t.Helper()
	bundle, process := sleepingBundle(t), c.process(t)
	t.Cleanup(func() { _ = c.command("delete", "--force", id).Run() })
	file := filepath.Join(c.dir, "allocations")
	t.Setenv("HATCHDOG_ALLOCATIONS", file)
	found := map[string]footprint{}
	for _, args := range [][]string{{"create", "--bundle", bundle, id}, {"start", id}, {"exec", "--process", process, id}} {
		must(t, c.call(id, args...))
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // this door has none
		}
		must(t, err)
		must(t, os.Remove(file))
		var h footprint
		_, err = fmt.Sscan(string(raw), &h.Objects, &h.Bytes, &h.Peak)
		must(t, err)
		found[args[0]] = h
	}
	return found
}

// What create, start and exec allocate, and the most that is resident, does not
// grow without somebody saying so.
func TestAllocations(t *testing.T) {
	program := telling(t)
	found := map[string]footprint{}
	for name, policy := range countedPolicies() {
		c := newCaller(t, policy)
		c.program = program
		c.memory(t, "warm")
		for door, h := range c.memory(t, "counted") {
			found[name+door] = h
		}
	}
	if *updateCounts {
		raw, err := json.MarshalIndent(found, "", "  ")
		must(t, err)
		must(t, os.WriteFile(memoryFile, append(raw, '\n'), 0o644))
		return
	}
	var all map[string]footprint
	must(t, json.Unmarshal([]byte(read(t, memoryFile)), &all))
	if len(all) != len(found) {
		t.Errorf("%s has figures of %d doors, not of %d: %+v", memoryFile, len(all), len(found), found)
	}
	for door, was := range all {
		is, most := found[door], was.most()
		if is.Objects > most.Objects || is.Bytes > most.Bytes || is.Peak > most.Peak {
			t.Errorf("%s takes %+v; it took %+v, and %+v is allowed. Where that has to be: go test ./integration -run TestAllocations -args -counts", door, is, was, most)
		}
	}
}

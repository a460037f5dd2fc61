package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// probeCgroup reads what limits a user of the host can hold. root is "/" but in tests.
func probeCgroup(root string, euid int) (Cgroup, error) {
	mount := filepath.Join(root, "sys/fs/cgroup")
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return Cgroup{}, fmt.Errorf("control groups: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
	if err == nil {
		g := Cgroup{V2: true, Controllers: strings.Fields(string(data))}
		g.Swap = v2Swap(mount, string(own))
		return g.delegated(mount, string(own), euid), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Cgroup{}, fmt.Errorf("control groups: %w", err)
	}
	var g Cgroup
	for line := range strings.Lines(string(own)) {
		// ID:CONTROLLERS:PATH (cgroups(7)); id 0 is the unified hierarchy.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[0] == "0" {
			continue
		}
		for _, c := range strings.Split(fields[1], ",") {
			if c != "" && !strings.HasPrefix(c, "name=") {
				g.Controllers = append(g.Controllers, c)
			}
		}
	}
	slices.Sort(g.Controllers)
	g.Swap = exists(filepath.Join(mount, "memory", "memory.memsw.limit_in_bytes"))
	return g.delegated(mount, string(own), euid), nil
}

// v2Swap looks for the swap file of a control group other than the root, which
// has none.
func v2Swap(mount, own string) bool {
	for line := range strings.Lines(own) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok && exists(filepath.Join(mount, path, "memory.swap.max")) {
			return true
		}
	}
	found, err := filepath.Glob(filepath.Join(mount, "*", "memory.swap.max"))
	return err == nil && len(found) > 0
}

func exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}

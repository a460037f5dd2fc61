package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// delegated holds the controllers to those that we may use: without root, of
// control groups that were given to us (cgroups(7), delegation).
func (g Cgroup) delegated(mount, own string, euid int) Cgroup {
	if euid == 0 {
		return g
	}
	paths := map[string]string{}
	for line := range strings.Lines(own) {
		if fields := strings.SplitN(strings.TrimSpace(line), ":", 3); len(fields) == 3 {
			for _, c := range strings.Split(fields[1], ",") {
				paths[c] = fields[2]
			}
		}
	}
	if g.V2 {
		dir := filepath.Join(mount, paths[""])
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil || !writable(dir) {
			g.Controllers = nil
			return g
		}
		g.Controllers = strings.Fields(string(data))
		return g
	}
	g.Controllers = slices.DeleteFunc(slices.Clone(g.Controllers), func(c string) bool {
		return !writable(filepath.Join(mount, c, paths[c]))
	})
	return g
}

func writable(dir string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS) == nil
}

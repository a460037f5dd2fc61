package host

import (
	"os"
	"path/filepath"
	"strings"
)

// Beside are the controllers that hold a control group which a low-level runtime
// without root makes for a container without a place of its own: runc makes it
// beside ours in version 2 (libcontainer/cgroups/fs2, defaultDirPath), and below
// ours, of all controllers or none, in version 1. root is "/" but in tests.
func Beside(root string) []string {
	mount := filepath.Join(root, "sys/fs/cgroup")
	own, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil
	}
	if !exists(filepath.Join(mount, "cgroup.controllers")) {
		return belowOurs(mount, string(own))
	}
	for line := range strings.Lines(string(own)) {
		path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::/")
		if !ok || path == "" {
			continue // of ours nothing is beside the root
		}
		dir := filepath.Dir(filepath.Join(mount, path))
		data, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil || !writable(dir) || !writable(filepath.Join(dir, "cgroup.procs")) || !writable(filepath.Join(dir, "cgroup.subtree_control")) {
			return nil
		}
		return strings.Fields(string(data))
	}
	return nil
}

func belowOurs(mount, own string) []string {
	var all []string
	for line := range strings.Lines(own) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || fields[1] == "" || strings.HasPrefix(fields[1], "name=") {
			continue
		}
		for _, c := range strings.Split(fields[1], ",") {
			if !writable(filepath.Join(mount, c, fields[2])) {
				return nil
			}
			all = append(all, c)
		}
	}
	return all
}

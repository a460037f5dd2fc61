package run

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// groups are the control groups of a process by controller; "" is version 2's.
func groups(pid int) (map[string]string, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			at := filepath.Join("/sys/fs/cgroup", controller, parts[2])
			if controller == "" {
				at = filepath.Join("/sys/fs/cgroup", parts[2])
			}
			all[controller] = at
		}
	}
	return all, lines.Err()
}

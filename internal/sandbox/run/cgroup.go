package run

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// counted is what the control group of a box counted.
type counted struct {
	OOM       int64 // processes killed for want of memory
	Pids      int64 // forks that were refused
	Throttled int64 // periods in which the CPUs were used up
}

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

// count reads the counts; what a host does not count is 0.
func count(groups map[string]string) counted {
	first := func(key string, places ...[2]string) int64 {
		for _, p := range places {
			dir, ok := groups[p[0]]
			if !ok {
				continue
			}
			if n, ok := field(filepath.Join(dir, p[1]), key); ok {
				return n
			}
		}
		return 0
	}
	return counted{
		OOM:       first("oom_kill", [2]string{"memory", "memory.oom_control"}, [2]string{"", "memory.events"}),
		Pids:      first("max", [2]string{"pids", "pids.events"}, [2]string{"", "pids.events"}),
		Throttled: first("nr_throttled", [2]string{"cpu", "cpu.stat"}, [2]string{"", "cpu.stat"}),
	}
}

func field(path, key string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

package inside

import (
	"cmp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
)

// None is the value of a control group's limit that is not set.
const None = -1

// Counted is what the kernel counted in a control group since it was made.
type Counted struct {
	PidsMax, PidsNow, PidsPeak, PidsHits int64 // processes; None is no limit
	MemoryMax, MemoryPeak                int64 // bytes
	MemoryHits, OOMKills                 int64
	CPUQuota, CPUPeriod                  int64 // microseconds
	CPUPeriods, CPUThrottled             int64
	ThrottledFor                         time.Duration
	HasPids, HasMemory, HasCPU, Gone     bool
}

// ReadCounted reads the directories of a control group: by controller in version
// 1, under "" in version 2 (kernel, admin-guide/cgroup-v1 and cgroup-v2.rst). A
// host may have some controllers in one and some in the other.
func ReadCounted(dirs map[string]string) Counted {
	c := Counted{PidsMax: None, MemoryMax: None, CPUQuota: None}
	unified := dirs[""]
	if dir := cmp.Or(dirs["pids"], unified); dir != "" {
		c.pids(dir)
	}
	if dir := dirs["memory"]; dir != "" {
		c.memory1(dir)
	} else if unified != "" {
		c.memory2(unified)
	}
	if dir := dirs["cpu"]; dir != "" {
		c.cpu1(dir)
	} else if unified != "" {
		c.cpu2(unified)
	}
	c.Gone = !c.HasPids && !c.HasMemory && !c.HasCPU
	return c
}

func (c *Counted) memory2(dir string) {
	if max, ok := number(dir, "memory.max"); ok {
		c.HasMemory, c.MemoryMax = true, max
		c.MemoryPeak, _ = number(dir, "memory.peak")
		events := pairs(dir, "memory.events")
		c.MemoryHits, c.OOMKills = events["max"], events["oom_kill"]
	}
}

func (c *Counted) cpu2(dir string) {
	if words := strings.Fields(text(dir, "cpu.max")); len(words) == 2 {
		c.HasCPU, c.CPUQuota, c.CPUPeriod = true, parse(words[0]), parse(words[1])
		c.ThrottledFor = time.Duration(c.throttled(dir)["throttled_usec"]) * time.Microsecond
	}
}

func (c *Counted) memory1(dir string) {
	c.MemoryMax, c.HasMemory = number(dir, "memory.limit_in_bytes")
	const most = 1 << 62 // the kernel's largest, a page less than 2^63
	if c.MemoryMax >= most {
		c.MemoryMax = None
	}
	c.MemoryPeak, _ = number(dir, "memory.max_usage_in_bytes")
	c.MemoryHits, _ = number(dir, "memory.failcnt")
	c.OOMKills = pairs(dir, "memory.oom_control")["oom_kill"]
}

func (c *Counted) cpu1(dir string) {
	c.CPUQuota, c.HasCPU = number(dir, "cpu.cfs_quota_us")
	c.CPUPeriod, _ = number(dir, "cpu.cfs_period_us")
	c.ThrottledFor = time.Duration(c.throttled(dir)["throttled_time"])
}

func (c *Counted) throttled(dir string) map[string]int64 {
	stat := pairs(dir, "cpu.stat")
	c.CPUPeriods, c.CPUThrottled = stat["nr_periods"], stat["nr_throttled"]
	return stat
}

// pids are in the same files in both versions.
func (c *Counted) pids(dir string) {
	c.PidsMax, c.HasPids = number(dir, "pids.max")
	c.PidsNow, _ = number(dir, "pids.current")
	c.PidsPeak, _ = number(dir, "pids.peak") // of kernels from 6.6
	c.PidsHits = pairs(dir, "pids.events")["max"]
}

func text(dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func number(dir, name string) (int64, bool) {
	s := text(dir, name)
	return parse(s), s != ""
}

func parse(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return None // "max"
	}
	return n
}

func pairs(dir, name string) map[string]int64 {
	all := map[string]int64{}
	for line := range strings.Lines(text(dir, name)) {
		if words := strings.Fields(line); len(words) == 2 {
			all[words[0]] = parse(words[1])
		}
	}
	return all
}

// Members are the processes of a control group, by its directories, at most as
// many as are asked for.
func Members(dirs map[string]string, most int) []int {
	dir := dirs["pids"]
	if dir == "" {
		dir = dirs[""]
	}
	var all []int
	for _, line := range strings.Fields(text(dir, "cgroup.procs")) {
		if pid, err := strconv.Atoi(line); err == nil && len(all) < most {
			all = append(all, pid)
		}
	}
	return all
}

// Began is when each of some processes began. One that is gone is left out.
func Began(pids []int) (map[int]time.Time, error) {
	boot, err := bootTime()
	if err != nil {
		return nil, err
	}
	all := map[int]time.Time{}
	for _, pid := range pids {
		if ticks := decision.StartTime(pid); ticks != 0 {
			all[pid] = boot.Add(time.Duration(ticks) * tick) //nolint:gosec // since boot
		}
	}
	return all, nil
}

// tick is the unit of times of proc_pid_stat(5), USER_HZ.
const tick = 10 * time.Millisecond

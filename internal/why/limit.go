package why

import (
	"fmt"
	"os"
	"strconv"
	"time"

	units "github.com/docker/go-units"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/inside"
)

// Counted says which limits a container ran into since its start.
func (c *Container) Counted(k inside.Counted) []Finding {
	var all []Finding
	if k.HasPids && k.PidsHits > 0 {
		f := c.limit("start one more process", fmt.Sprintf("the control group may have %d processes and threads", k.PidsMax), "linux.resources.pids.limit",
			strconv.FormatInt(k.PidsMax, 10), "pids.max", askedPids(c.resources()) == k.PidsMax)
		all = append(all, f.with(fmt.Sprintf("refused %d times, %d are there now", k.PidsHits, k.PidsNow)))
	}
	if k.HasMemory && k.OOMKills > 0 {
		reason := "no limit of its own: one of a control group above, or the host itself, ran out of memory"
		if k.MemoryMax != inside.None {
			reason = "the control group may have " + units.BytesSize(float64(k.MemoryMax)) + " of memory"
		}
		f := c.limit("live on", reason, "linux.resources.memory.limit", c.memoryLimit(k.MemoryMax), "memory.max", pages(askedMemory(c.resources())) == k.MemoryMax)
		if k.MemoryMax == inside.None {
			f = undetermined(f.What, reason)
		}
		all = append(all, f.with(fmt.Sprintf("the kernel killed %d of its processes for memory; it had %s at most", k.OOMKills, units.BytesSize(float64(k.MemoryPeak)))))
	}
	if k.HasCPU && k.CPUThrottled > 0 && k.CPUPeriod > 0 {
		f := c.limit("run without a pause", fmt.Sprintf("the control group may have %.2f CPUs", float64(k.CPUQuota)/float64(k.CPUPeriod)), "linux.resources.cpu.quota",
			"", "cpu.max", c.askedQuota(k))
		all = append(all, f.with(fmt.Sprintf("it waited in %d of %d periods, %s in all", k.CPUThrottled, k.CPUPeriods, k.ThrottledFor.Round(time.Millisecond))))
	}
	return all
}

func (c *Container) resources() *specs.LinuxResources {
	if c.Asked == nil || c.Asked.Linux == nil {
		return nil
	}
	return c.Asked.Linux.Resources
}

// memoryLimit is the limit as whoever set it wrote it: the kernel has it in whole
// pages.
func (c *Container) memoryLimit(max int64) string {
	if ch := c.change("linux.resources.memory.limit"); ch != nil {
		if n, err := strconv.ParseInt(ch.After, 10, 64); err == nil && pages(n) == max {
			return ch.After
		}
	}
	return strconv.FormatInt(max, 10)
}

func pages(bytes int64) int64 { return bytes - bytes%int64(os.Getpagesize()) }

func askedPids(r *specs.LinuxResources) int64 {
	if r == nil || r.Pids == nil || r.Pids.Limit == nil {
		return inside.None
	}
	return *r.Pids.Limit
}

func askedMemory(r *specs.LinuxResources) int64 {
	if r == nil || r.Memory == nil || r.Memory.Limit == nil {
		return inside.None
	}
	return *r.Memory.Limit
}

func (c *Container) askedQuota(k inside.Counted) bool {
	r := c.resources()
	return r != nil && r.CPU != nil && r.CPU.Quota != nil && *r.CPU.Quota == k.CPUQuota
}

// limit: the request's own comes first. A limit that `update` changed since is
// neither's.
func (c *Container) limit(what, reason, field, value, key string, asked bool) Finding {
	ch := c.change(field)
	switch {
	case asked:
		return other(what, LayerLimit, reason+", as the engine asked")
	case ch != nil && (value == "" || ch.After == value):
		return hatchdog(what, reason+": "+ch.Reason, c.where(key), control.Set(key, "none")).lifts(unchanged(field, ch.After))
	}
	return undetermined(what, reason+", and neither the request nor a change names that limit: `update` may have set it")
}

// Processes says whether a user of the container had as many processes as its
// limit for each user lets one have. The kernel does not count what it refused.
func (c *Container) Processes(k inside.Counted) *Finding {
	const name = "RLIMIT_NPROC"
	l, ok := c.Process.Limits[name]
	peak := max(k.PidsPeak, k.PidsNow)
	if !ok || l.Soft == inside.Unlimited || !k.HasPids || !c.inUserNS() || uint64(peak) < l.Soft || k.PidsHits > 0 { //nolint:gosec // counts
		return nil
	}
	f := c.Rlimit(name, "start one more process").with(fmt.Sprintf("it had %d processes and threads at most, %d are there now", peak, k.PidsNow))
	if ch := c.change("linux.resources.pids.limit"); f.Verdict == Hatchdog && ch != nil {
		f.Policy, f.Grants = c.where("pids.max"), []control.Grant{control.Set("pids.max", "none")}
	}
	return &f
}

// OpenFiles says whether the first process has as many files open as it may.
func (c *Container) OpenFiles() *Finding {
	l, ok := c.Process.Limits["RLIMIT_NOFILE"]
	if !ok || uint64(c.Process.OpenFiles) < l.Soft { //nolint:gosec // a count
		return nil
	}
	f := c.Rlimit("RLIMIT_NOFILE", "open one more file")
	f = f.with(fmt.Sprintf("the first process has %d files open", c.Process.OpenFiles))
	return &f
}

// Rlimit says who set a resource limit to what it is.
func (c *Container) Rlimit(name, what string) Finding {
	l := c.Process.Limits[name]
	reason := fmt.Sprintf("%s is %s", name, limitWords(l))
	ch := c.change("process.rlimits[" + name + "]")
	for _, r := range c.askedRlimits() {
		if r.Type == name && r.Soft == l.Soft && r.Hard == l.Hard {
			return other(what, LayerLimit, reason+", as the engine asked").remedy("docker run --ulimit")
		}
	}
	switch {
	case ch != nil && ch.After == fmt.Sprintf("%d/%d", l.Soft, l.Hard), ch != nil && ch.After == strconv.FormatUint(l.Hard, 10) && l.Soft == l.Hard:
		return hatchdog(what, reason+": "+ch.Reason, c.where("privilege.rlimits"), control.Set("privilege.rlimits."+name+".max", strconv.FormatUint(l.Hard*more, 10))).lifts(unchanged(ch.Field, ch.After))
	case ch != nil && l.Hard != inside.Unlimited:
		return undetermined(what, reason+", which is not what hatchdog set ("+ch.After+"): the program may have lowered it")
	}
	return undetermined(what, reason+", and neither the request nor a change names it: it is the engine's or the host's own")
}

// more is how many times a limit the policy that is suggested gives.
const more = 16

func (c *Container) askedRlimits() []specs.POSIXRlimit {
	if c.Asked == nil || c.Asked.Process == nil {
		return nil
	}
	return c.Asked.Process.Rlimits
}

func limitWords(l inside.Limit) string {
	one := func(n uint64) string {
		if n == inside.Unlimited {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	return one(l.Soft) + ", at most " + one(l.Hard)
}

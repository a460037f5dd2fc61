package resources

import (
	"math"
	"math/bits"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The periods of CPU time, in microseconds (kernel, sched-bwc.rst). With one
// shorter than the kernel takes, a quota could come out as 0, which is none.
const (
	defaultPeriod = 100000
	minPeriod     = 1000
	maxPeriod     = 1000000
)

// unlimited reads a limit as runc does: nothing, zero and less are no limit.
func unlimited(v *int64) bool { return v == nil || *v <= 0 }

// spoken reports whether an update speaks of a limit: runc leaves one that is
// missing or 0 as the container has it (update.go).
func spoken(v *int64) bool { return v != nil && *v != 0 }

func show(v *int64) string {
	switch {
	case v == nil:
		return ""
	case *v <= 0:
		return "unlimited"
	}
	return strconv.FormatInt(*v, 10)
}

// clip sets *v to the ceiling where it is above. It sets a limit that is not there
// only where all limits are set.
func (e *edit) clip(field string, v **int64, ceiling int64, reason string) {
	if !e.all && !spoken(*v) || !unlimited(*v) && **v <= ceiling {
		return
	}
	before := show(*v)
	*v = &ceiling
	e.change(field, before, strconv.FormatInt(ceiling, 10), reason)
}

func (e *edit) pids(r *specs.LinuxResources) {
	ceiling := e.profile.Pids.Max
	if ceiling == nil || r.Pids == nil && !e.all {
		return
	}
	if r.Pids == nil {
		r.Pids = &specs.LinuxPids{}
	}
	if l := r.Pids.Limit; e.all && l != nil && *l == 0 { // one process to runc 1.4 and later, no limit to older ones
		e.clip("linux.resources.pids.limit", &r.Pids.Limit, 1, "0 is one process to new runtimes, and no limit to old ones")
	}
	e.clip("linux.resources.pids.limit", &r.Pids.Limit, *ceiling, "a container that forks without end takes the host's processes; JVMs on many cores may need more: pids.max")
}

func (e *edit) memory(r *specs.LinuxResources) {
	rules := e.profile.Memory
	if r.Memory == nil {
		if rules.Max == nil || !e.all {
			return
		}
		r.Memory = &specs.LinuxMemory{}
	}
	m := r.Memory
	if rules.Max != nil {
		e.clip("linux.resources.memory.limit", &m.Limit, *rules.Max, "the profile's ceiling of memory")
		if m.Reservation != nil && !unlimited(m.Limit) && (*m.Reservation > *m.Limit || *m.Reservation < 0) {
			e.clip("linux.resources.memory.reservation", &m.Reservation, *m.Limit, "not above the limit")
		}
	}
	e.swap(m)
	if m.DisableOOMKiller != nil && *m.DisableOOMKiller {
		off := false
		m.DisableOOMKiller = &off
		e.change("linux.resources.memory.disableOOMKiller", "true", "false", "a container that may not be killed hangs, and the host with it")
	}
}

// swap holds memory and swap together to the limit and what the profile
// admits beyond it. Without a memory limit there is nothing to hold it to.
func (e *edit) swap(m *specs.LinuxMemory) {
	beyond := e.profile.Memory.Swap
	switch {
	case beyond == nil || !e.cgroup.Swap:
		return
	case !e.all && !spoken(m.Limit):
		if spoken(m.Swap) {
			e.refuse("linux.resources.memory.swap", "memory.swap", "swap without a memory limit: what it comes to beyond the limit that the container has is not known here",
				"give the memory limit with it")
		}
		return
	case unlimited(m.Limit):
		return
	}
	ceiling := *m.Limit
	if *beyond >= math.MaxInt64-ceiling {
		return
	}
	if e.all || spoken(m.Swap) {
		ceiling += *beyond // otherwise none: the update did not ask for more than there is
	}
	if !unlimited(m.Swap) && *m.Swap <= ceiling {
		return
	}
	before := show(m.Swap)
	m.Swap = &ceiling
	e.change("linux.resources.memory.swap", before, strconv.FormatInt(ceiling, 10), "swap beyond the memory limit wears the host's disk and slows it")
}

func (e *edit) cpu(r *specs.LinuxResources) {
	ceiling := e.profile.CPU.MaxMilli
	if ceiling == nil || r.CPU == nil && !e.all {
		return
	}
	if r.CPU == nil {
		r.CPU = &specs.LinuxCPU{}
	}
	c := r.CPU
	if c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
		e.change("linux.resources.cpu.realtimeRuntime", strconv.FormatInt(*c.RealtimeRuntime, 10), "none", "real-time CPU is outside of the ceiling")
		c.RealtimeRuntime, c.RealtimePeriod = nil, nil
	}
	if !e.all {
		quota, period := spoken(c.Quota), c.Period != nil && *c.Period != 0
		switch {
		case !quota && !period:
			return
		case quota != period && (!quota || *c.Quota > 0):
			e.refuse("linux.resources.cpu.quota", "cpu.max", "a quota or a period alone: what it comes to with the other one that the container has is not known here",
				"give both")
			return
		}
	}
	period := uint64(defaultPeriod)
	if c.Period != nil && *c.Period >= minPeriod && *c.Period <= maxPeriod {
		period = *c.Period
	}
	most := max(int64(period)**ceiling/1000, 1)
	if !unlimited(c.Quota) {
		if *c.Quota <= most && (c.Period == nil || *c.Period == period) {
			return
		}
		most = min(most, scaled(*c.Quota, c.Period, period))
	}
	before := show(c.Quota)
	c.Quota, c.Period = &most, &period
	e.change("linux.resources.cpu.quota", before, strconv.FormatInt(most, 10)+" of "+strconv.FormatUint(period, 10)+" us", "the profile's ceiling of CPU time")
}

// scaled is the quota of another period that gives the same share of the time.
// 0 is no period (runc).
func scaled(quota int64, from *uint64, to uint64) int64 {
	was := uint64(defaultPeriod)
	if from != nil && *from != 0 {
		was = *from
	}
	hi, lo := bits.Mul64(uint64(quota), to)
	if hi >= was {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, was)
	return int64(max(min(q, math.MaxInt64), 1))
}

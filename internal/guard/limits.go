package guard

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// amount reads a limit. A missing one, 0 and less are no limit, as in runc.
func amount(v jsontext.Value) (int64, bool) {
	var n int64
	if !read(v, &n) {
		return 0, false
	}
	if n <= 0 {
		n = math.MaxInt64
	}
	return n, true
}

// spoken reports whether an update speaks of a limit: runc leaves one that is
// missing or 0 as the container has it (update.go).
func spoken(v jsontext.Value) bool {
	var n int64
	return !read(v, &n) || n != 0
}

// limit may be lowered, and set where there was none.
func limit(c *check, at string, before, after jsontext.Value) {
	was, ok1 := amount(before)
	is, ok2 := amount(after)
	switch {
	case !ok1 || !ok2:
		c.refuse(at, errShape.Error())
	case c.update && spoken(before) != spoken(after):
		c.refuse(at, "set or left out, and the update did not speak of it")
	case is > was:
		c.refuse(at, "raised")
	}
}

// pidsLimit: 0 is one process to runc 1.4 and later, and no limit to older
// ones.
func pidsLimit(c *check, at string, before, after jsontext.Value) {
	var was, is int64 = -1, -1
	if !read(before, &was) || !read(after, &is) {
		c.refuse(at, errShape.Error())
		return
	}
	if !c.update && (was == 0 && is != 1 || is == 0 && was != 1) {
		c.refuse(at, "raised, or what it was cannot be told")
		return
	}
	limit(c, at, before, after)
}

// memory: in an update swap may come with a limit, which runc would otherwise
// hold against the old one, and then is none beyond it.
func memory(c *check, at string, before, after jsontext.Value) {
	object(func(name string) rule {
		if name != "swap" || !c.update {
			return memoryMember(name)
		}
		return func(c *check, at string, was, is jsontext.Value) {
			limits, err := split(after)
			if err != nil || spoken(was) || !spoken(is) {
				limit(c, at, was, is)
				return
			}
			most, ok1 := amount(find(limits, "limit"))
			have, ok2 := amount(is)
			if !ok1 || !ok2 || most == math.MaxInt64 || have != most {
				c.refuse(at, "set, and the update did not speak of it")
			}
		}
	})(c, at, before, after)
}

// The periods that the kernel takes, in microseconds (sched-bwc.rst).
const (
	defaultPeriod = 100000
	minPeriod     = 1000
	maxPeriod     = 1000000
)

// cpu compares quota and period as one: the share of the time.
func cpu(c *check, at string, before, after jsontext.Value) {
	was, err1 := split(before)
	is, err2 := split(after)
	if err1 != nil || err2 != nil {
		c.refuse(at, errShape.Error())
		return
	}
	object(func(name string) rule {
		if name == "quota" || name == "period" {
			return func(*check, string, jsontext.Value, jsontext.Value) {}
		}
		return cpuMember(name)
	})(c, at, before, after)
	if equal(find(was, "quota"), find(is, "quota")) && equal(find(was, "period"), find(is, "period")) {
		return
	}
	if c.update && (!whole(was) || !whole(is)) {
		c.refuse(at+".quota", "changed, and the update left a part of it as the container has it")
		return
	}
	q1, p1, ok1 := share(was)
	q2, p2, ok2 := share(is)
	// A period that the kernel refuses is no proof of a limit.
	proven := q2 == math.MaxInt64 || p2 >= minPeriod && p2 <= maxPeriod
	if !ok1 || !ok2 || !proven || more(q2, p2, q1, p1) {
		c.refuse(at+".quota", "a larger share of the time, or one that cannot be told")
	}
}

// whole reports whether an update says all of the share: quota and period, or
// no quota at all.
func whole(members []member) bool {
	quota := find(members, "quota")
	var n int64
	return read(quota, &n) && (n < 0 || n > 0 && spoken(find(members, "period")))
}

// share reads quota and period. 0 is no period, as in runc.
func share(members []member) (quota, period uint64, ok bool) {
	q, ok := amount(find(members, "quota"))
	if !ok || !read(find(members, "period"), &period) {
		return 0, 0, false
	}
	if q == math.MaxInt64 {
		return math.MaxInt64, 1, true
	}
	if period == 0 {
		period = defaultPeriod
	}
	return uint64(q), period, true
}

// more reports whether q2/p2 is more than q1/p1.
func more(q2, p2, q1, p1 uint64) bool {
	h2, l2 := bits.Mul64(q2, p1)
	h1, l1 := bits.Mul64(q1, p2)
	return h2 > h1 || h2 == h1 && l2 > l1
}

// unified holds the files of cgroup version 2 (cgroup-v2.rst).
func unified(name string) rule {
	switch name {
	case "memory.swap.max":
		return fileSwap
	case "memory.max", "memory.high", "pids.max":
		return fileLimit
	case "memory.min", "memory.low": // memory that is kept from others
		return fileLimit
	case "cpu.max":
		return fileShare
	}
	return nil
}

func fileAmount(text string) (uint64, bool) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return math.MaxUint64, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

func fileLimit(c *check, at string, before, after jsontext.Value) {
	var was, is string
	if before == nil || after == nil || !read(before, &was) || !read(after, &is) {
		c.refuse(at, "added or left out")
		return
	}
	x, ok1 := fileAmount(was)
	y, ok2 := fileAmount(is)
	if !ok1 || !ok2 || y > x {
		c.refuse(at, "raised")
	}
}

// fileSwap is fileLimit, and an added 0: no field of the spec is tighter.
func fileSwap(c *check, at string, before, after jsontext.Value) {
	var is string
	if before == nil && after != nil && read(after, &is) && is == "0" {
		return
	}
	fileLimit(c, at, before, after)
}

func fileShare(c *check, at string, before, after jsontext.Value) {
	var was, is string
	if before == nil || after == nil || !read(before, &was) || !read(after, &is) {
		c.refuse(at, "added or left out")
		return
	}
	q1, p1, ok1 := fileQuota(was)
	q2, p2, ok2 := fileQuota(is)
	if !ok1 || !ok2 || more(q2, p2, q1, p1) {
		c.refuse(at, "a larger share of the time")
	}
}

func fileQuota(text string) (quota, period uint64, ok bool) {
	fields := strings.Fields(text)
	if len(fields) < 1 || len(fields) > 2 {
		return 0, 0, false
	}
	period = defaultPeriod
	if len(fields) == 2 {
		if period, ok = fileAmount(fields[1]); !ok || period < minPeriod || period > maxPeriod {
			return 0, 0, false
		}
	}
	quota, ok = fileAmount(fields[0])
	return quota, period, ok
}

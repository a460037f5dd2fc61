package guard

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"
)

// read decodes a value; a missing one and null leave v alone.
func read(raw jsontext.Value, v any) bool {
	return raw == nil || raw.Kind() == 'n' || json.Unmarshal(raw, v) == nil
}

// onlyOn: off, which a missing value is, may become on.
func onlyOn(c *check, at string, before, after jsontext.Value) {
	var was, is bool
	if !read(before, &was) || !read(after, &is) || was && !is {
		c.refuse(at, "turned off")
	}
}

// onlyOff: on may become off.
func onlyOff(c *check, at string, before, after jsontext.Value) {
	var was, is bool
	if !read(before, &was) || !read(after, &is) || !was && is {
		c.refuse(at, "turned on")
	}
}

// gone: what was asked for may be left out, where having it is the privilege.
func gone(c *check, at string, before, after jsontext.Value) {
	if after != nil && !equal(before, after) {
		c.refuse(at, "set to what was not asked for")
	}
}

// scheduler: a policy that comes before the other processes may be left out, or
// a nice value below theirs (sched(7)). Another keeps the process behind them.
func scheduler(c *check, at string, before, after jsontext.Value) {
	var was struct {
		Policy string `json:"policy"`
		Nice   int32  `json:"nice"`
	}
	switch {
	case after != nil && after.Kind() != 'n', !read(before, &was):
		c.refuse(at, "changed")
	case was.Policy != "SCHED_FIFO" && was.Policy != "SCHED_RR" && was.Policy != "SCHED_DEADLINE" && was.Nice >= 0:
		c.refuse(at, "left out, and it may hold the process back")
	}
}

// ioPriority: the same for the real-time class (ioprio_set(2)).
func ioPriority(c *check, at string, before, after jsontext.Value) {
	var was struct {
		Class string `json:"class"`
	}
	switch {
	case after != nil && after.Kind() != 'n', !read(before, &was):
		c.refuse(at, "changed")
	case was.Class != "IOPRIO_CLASS_RT":
		c.refuse(at, "left out, and it may hold the process back")
	}
}

// onlyUp is the rule of oomScoreAdj. A missing one is inherited from the
// engine, whose own may be anything: only 0 and above, the kernel's own
// default, is surely no gain.
func onlyUp(c *check, at string, before, after jsontext.Value) {
	was, is := 0, 0
	switch {
	case after == nil, !read(before, &was), !read(after, &is), is < was:
		c.refuse(at, "lowered")
	}
}

// umask: bits may be added. runc sets 0022 where there is none.
func umask(c *check, at string, before, after jsontext.Value) {
	was, is := uint32(0o022), uint32(0o022)
	if !read(before, &was) || !read(after, &is) || was&^is != 0 {
		c.refuse(at, "masks less")
	}
}

// propagation ranks the spec's mount propagations by what can spread
// (mount_namespaces(7)).
func propagation(name string) (int, bool) {
	switch strings.TrimPrefix(name, "r") {
	case "private", "unbindable":
		return 0, true
	case "slave":
		return 1, true
	case "shared":
		return 2, true
	}
	return 0, false
}

// rootfsPropagation: runc makes the root file system rslave where nothing is
// said (libcontainer/rootfs_linux.go).
func rootfsPropagation(c *check, at string, before, after jsontext.Value) {
	was, is := "rslave", "rslave"
	if !read(before, &was) || !read(after, &is) {
		c.refuse(at, errShape.Error())
		return
	}
	x, ok1 := propagation(was)
	y, ok2 := propagation(is)
	if !ok1 || !ok2 || y > x || y == 0 && x != 0 {
		c.refuse(at, "mounts would spread further")
	}
}

// onlyAdded is the rule of paths that are closed.
var onlyAdded rule = lists(func(c *check, at string, was, is []jsontext.Value) {
	have := map[string]bool{}
	for _, v := range is {
		var s string
		if !read(v, &s) || !strings.HasPrefix(s, "/") {
			c.refuse(at, errShape.Error())
			return
		}
		have[s] = true
	}
	for _, v := range was {
		var s string
		if !read(v, &s) || !have[s] {
			c.refuse(at, "a path is open that was closed")
			return
		}
	}
})

// capabilities: each set may lose members. Without the object runc leaves the
// process with all that it has itself, and in exec with the container's.
func capabilities(c *check, at string, before, after jsontext.Value) {
	if after == nil || after.Kind() == 'n' {
		c.refuse(at, "left out, which takes nothing away")
		return
	}
	object(func(name string) rule {
		switch name {
		case "bounding", "effective", "permitted", "inheritable", "ambient":
			return subset
		}
		return nil
	})(c, at, before, after)
}

var subset rule = lists(func(c *check, at string, was, is []jsontext.Value) {
	have := map[string]bool{}
	for _, v := range was {
		var s string
		if read(v, &s) {
			have[s] = true
		}
	}
	for _, v := range is {
		var s string
		if !read(v, &s) || !have[s] {
			c.refuse(at, "a capability that was not asked for")
			return
		}
	}
})

type rlimit struct {
	Type string `json:"type"`
	Hard uint64 `json:"hard"`
	Soft uint64 `json:"soft"`
}

// rlimits: a limit may be lowered, and one that was not set may be: it would
// have been the engine's own, which counts as no limit.
var rlimits rule = lists(func(c *check, at string, was, is []jsontext.Value) {
	now := map[string]rlimit{}
	for _, v := range is {
		var l rlimit
		if !read(v, &l) || l.Type == "" || l.Soft > l.Hard {
			c.refuse(at, errShape.Error())
			return
		}
		if _, twice := now[l.Type]; twice {
			c.refuse(at+"["+l.Type+"]", "given twice")
			return
		}
		now[l.Type] = l
	}
	for _, v := range was {
		var l rlimit
		if !read(v, &l) {
			c.refuse(at, errShape.Error())
			return
		}
		if n, kept := now[l.Type]; !kept || n.Hard > l.Hard || n.Soft > l.Soft {
			c.refuse(at+"["+l.Type+"]", "raised or left out")
		}
	}
})

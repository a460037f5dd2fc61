package logged

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/probe"
)

// first is the first process of a pid namespace.
type first struct {
	pid   int
	space probe.Namespace
}

// user is the container that alone has a user, and when it was seen to.
type user struct {
	space probe.Namespace // the zero value where several have it
	seen  time.Time
}

// world is what is asked of the kernel.
type world interface {
	space(pid int) (inode uint32, ok bool) // 0 for one of the host, false for one that is gone
	parent(pid int) (parent, inner int)    // inner is its number in its own namespace
	started(pid int) uint64                // ticks after boot; 0 for one that is gone
}

// owner is the namespace of a process. A process that is gone keeps the one that it
// had, for a while: its last calls come after it.
func (r *Recorder) owner(pid int, uid uint32, now time.Time) (whose, bool) {
	had, known := r.pids[pid]
	if known && now.Sub(had.read) < fresh {
		return had, true
	}
	inode, ok := r.world.space(pid)
	if !ok {
		if known && now.Sub(had.read) < kept {
			return had, true
		}
		u := r.users[uid]
		return whose{space: u.space}, u.space != probe.Namespace{} && (now.Sub(u.seen) < kept || r.lives(u.space))
	}
	if inode == 0 {
		r.use(uid, probe.Namespace{}, now)
		return whose{}, true
	}
	f, ok := r.first(pid, inode)
	if !ok {
		return had, false
	}
	if len(r.pids) >= pidsMost {
		clear(r.pids)
	}
	if f.space != had.space {
		had.program = ""
	}
	had.space, had.read = f.space, now
	r.pids[pid] = had
	r.use(uid, f.space, now)
	return had, true
}

// use keeps which container has a user, until another has it too, or the host: each
// user namespace of hatchdog's has a range of its own.
func (r *Recorder) use(uid uint32, n probe.Namespace, now time.Time) {
	const most = 1 << 14
	before, have := r.users[uid]
	switch {
	case !have && len(r.users) >= most, have && before.space == probe.Namespace{}:
	case have && before.space != n && r.lives(before.space):
		r.users[uid] = user{}
	default:
		r.users[uid] = user{n, now}
	}
}

// lives is true while the first process of a namespace does.
func (r *Recorder) lives(n probe.Namespace) bool {
	at := r.current[n.Inode]
	return at.space == n && r.world.started(at.pid) == n.Ticks()
}

// first finds the first process of a namespace among the ancestors of a process. One
// that entered from outside has none there: its namespace is known if another's call
// told it, or Known.
func (r *Recorder) first(pid int, inode uint32) (first, bool) {
	if f, have := r.current[inode]; have && r.lives(f.space) {
		return f, true
	}
	const depth = 64
	for range depth {
		parent, inner := r.world.parent(pid)
		if inner == 1 {
			return r.keep(pid, inode)
		}
		if at, ok := r.world.space(parent); !ok || at != inode {
			break
		}
		pid = parent
	}
	return first{}, false
}

func (r *Recorder) keep(pid int, inode uint32) (first, bool) {
	ticks := r.world.started(pid)
	if ticks == 0 || len(r.spaces) >= spacesMost || len(r.current) >= spacesMost {
		return first{}, false
	}
	f := first{pid, probe.NamespaceAt(inode, ticks)}
	r.current[inode] = f
	if r.spaces[f.space] == nil {
		r.spaces[f.space] = &space{calls: map[int]*count{}, programs: map[string]*count{}}
	}
	return f, true
}

// Known tells the first process of a namespace, by its number on the host.
func (r *Recorder) Known(inode uint32, pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.world.space(pid); !ok || at != inode {
		return
	}
	if f, have := r.current[inode]; !have || !r.lives(f.space) {
		r.keep(pid, inode)
	}
}

// proc is the host's /proc.
type proc struct{}

func (proc) space(pid int) (uint32, bool) {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	var inode uint32
	if err != nil {
		return 0, false
	}
	if link == hosts() {
		return 0, true
	}
	_, err = fmt.Sscanf(link, "pid:[%d]", &inode)
	return inode, err == nil
}

// hosts is the host's pid namespace (uapi/linux/nsfs.h, PROC_PID_INIT_INO).
func hosts() string { return "pid:[4026531836]" }

func (proc) parent(pid int) (parent, inner int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range bytes.Lines(text) {
		name, value, _ := strings.Cut(string(line), ":")
		words := strings.Fields(value)
		if len(words) == 0 {
			continue
		}
		switch name {
		case "PPid":
			parent, _ = strconv.Atoi(words[0])
		case "NSpid":
			inner, _ = strconv.Atoi(words[len(words)-1])
		}
	}
	return parent, inner
}

func (proc) started(pid int) uint64 { return decision.StartTime(pid) }

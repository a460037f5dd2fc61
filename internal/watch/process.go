package watch

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// status is what proc_pid_stat(5) has of a process.
type status struct {
	command string
	parent  int
	forked  bool // PF_FORKNOEXEC: it has executed nothing
	started uint64
}

func readStatus(pid int) (status, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return status{}, false
	}
	return parseStatus(data)
}

// parseStatus: the command may hold spaces and brackets.
func parseStatus(data []byte) (status, bool) {
	const forkNoExec, parent, flags, start, least = 0x40, 1, 6, 19, 20
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return status{}, false
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < least {
		return status{}, false
	}
	ppid, err := strconv.Atoi(fields[parent])
	bits, ferr := strconv.ParseUint(fields[flags], 10, 64)
	started, serr := strconv.ParseUint(fields[start], 10, 64)
	return status{string(data[open+1 : end]), ppid, bits&forkNoExec != 0, started}, err == nil && ferr == nil && serr == nil
}

// ancestryMost bounds how far it is followed.
const ancestryMost = 16

// ancestry are the parents of a process, the nearest first, as far as they are there.
func ancestry(pid int) []string {
	var all []string
	for range ancestryMost {
		s, ok := readStatus(pid)
		if !ok || s.parent == 0 {
			break
		}
		pid = s.parent
		if p, ok := readStatus(pid); ok {
			all = append(all, fmt.Sprintf("%s (%d)", word(p.command), pid))
		}
	}
	return all
}

// Seen is a finding about a container.
type Seen struct {
	*Container
	Finding
}

// look is one pass over all processes of the host.
type look struct {
	host   Host
	spaces map[uint32][]*Container
	groups map[string]*Container // by controller and path
	now    time.Time
	seen   []Seen
}

// patience is how long a process may be between the low-level runtime's hands and
// its container's: then it is judged as all others are.
const patience = 10 * time.Second

// Look judges all processes that are there: by their roots, their namespaces, their
// control groups and their capabilities.
func Look(all []*Container, h Host, mask func(*Container) uint64, now time.Time) []Seen {
	l := &look{host: h, spaces: map[uint32][]*Container{}, groups: groupsOf(all), now: now}
	for _, c := range all {
		if c.Spaces["pid"] != h.Spaces["pid"] {
			l.spaces[c.Spaces["pid"]] = append(l.spaces[c.Spaces["pid"]], c)
		}
	}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	live := map[lowlevel.Init]bool{}
	for _, n := range names {
		if pid, err := strconv.Atoi(n.Name()); err == nil {
			l.process(pid, mask, live)
		}
	}
	for _, c := range all {
		for p := range c.alone {
			if !live[p] {
				delete(c.alone, p)
			}
		}
	}
	return l.seen
}

func (l *look) process(pid int, mask func(*Container) uint64, live map[lowlevel.Init]bool) {
	space, err := readSpace(pid, "pid")
	if err != nil {
		return
	}
	owner := ownerAmong(l.groups, pid)
	inside := l.spaces[space]
	var c *Container
	switch {
	case owner != nil:
		c = owner
	case len(inside) == 1 && !inside[0].Joined:
		c = inside[0]
	default:
		return // of the host, or of nobody that we know
	}
	s, ok := readStatus(pid)
	if !ok {
		return
	}
	p := lowlevel.Init{Pid: pid, Started: s.started}
	live[p] = true
	if l.waits(c, p, s, space) {
		return
	}
	spaces := ReadSpaces(pid)
	root, err := placeOf(fmt.Sprintf("/proc/%d/root", pid))
	if err != nil || !p.Alive() {
		return
	}
	add := func(f Finding) {
		f.Process = &Process{Pid: pid, UID: ownerOf(pid), Command: word(s.command), Ancestry: ancestry(pid)}
		l.seen = append(l.seen, Seen{c, f})
	}
	for _, kind := range spaceKinds() {
		if its, has := spaces[kind]; has && its == l.host.Spaces[kind] && c.own(kind, l.host) {
			add(escaped(kind+" namespace", word(s.command)))
		}
	}
	if root == l.host.Root && c.Root != root {
		add(escaped("root directory", word(s.command)))
	}
	if owner == nil && len(c.groupPaths()) > 0 && space == c.Spaces["pid"] {
		add(found(Escape, High, FromProc, "control group", word(s.command)+" is not in its container's control group"))
	}
	if beyond := effective(pid) &^ mask(c); beyond != 0 && spaces["user"] == c.Spaces["user"] {
		add(found(Capability, High, FromProc, fmt.Sprintf("set %x", beyond), fmt.Sprintf("%s has capabilities that the container was not given (mask %x)", word(s.command), beyond)))
	}
}

// waits is true for a process that the low-level runtime may still be making.
func (l *look) waits(c *Container, p lowlevel.Init, s status, space uint32) bool {
	parent, err := readSpace(s.parent, "pid")
	made := s.forked && (err != nil || parent != c.Spaces["pid"])
	if space == c.Spaces["pid"] && !made {
		return false
	}
	since, known := c.alone[p]
	if !known {
		c.alone[p] = l.now
		return true
	}
	return l.now.Sub(since) < patience
}

func groupsOf(all []*Container) map[string]*Container {
	groups := map[string]*Container{}
	for _, c := range all {
		for controller, at := range c.groupPaths() {
			groups[controller+"\x00"+at] = c
		}
	}
	return groups
}

// Owner is the container among some whose control group a process is in.
func Owner(all []*Container, pid int) *Container { return ownerAmong(groupsOf(all), pid) }

// Same is true where two processes are of one of some containers: the caller, by its
// number on the host, and one that it names by its number in their pid namespace.
func Same(all []*Container, caller, inner int) bool {
	own := Owner(all, caller)
	space, err := readSpace(caller, "pid")
	names, derr := os.ReadDir("/proc")
	if own == nil || err != nil || derr != nil {
		return true // nothing is known of it
	}
	for _, n := range names {
		pid, err := strconv.Atoi(n.Name())
		if err != nil {
			continue
		}
		if its, err := readSpace(pid, "pid"); err != nil || its != space {
			continue
		}
		if f := field(pid, "NSpid"); len(f) > 0 && f[len(f)-1] == strconv.Itoa(inner) {
			return Owner(all, pid) == own
		}
	}
	return true
}

func ownerAmong(groups map[string]*Container, pid int) *Container {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3) // hierarchy, controllers, path
		if len(parts) < 3 || parts[2] == "/" {
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			for at := parts[2]; at != "/" && at != "."; at = path.Dir(at) {
				if c := groups[controller+"\x00"+at]; c != nil {
					return c
				}
			}
		}
	}
	return nil
}

func field(pid int, key string) []string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.Fields(rest)
		}
	}
	return nil
}

func effective(pid int) uint64 {
	if f := field(pid, "CapEff"); len(f) == 1 {
		n, err := strconv.ParseUint(f[0], 16, 64)
		if err == nil {
			return n
		}
	}
	return 0
}

func ownerOf(pid int) uint32 {
	if f := field(pid, "Uid"); len(f) > 1 {
		n, err := strconv.ParseUint(f[1], 10, 32)
		if err == nil {
			return uint32(n)
		}
	}
	return 0
}

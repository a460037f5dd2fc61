package watch

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/freeze"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/probe"
)

// spaceKinds are the namespaces that are compared (proc_pid_ns(5)).
func spaceKinds() []string { return []string{"mnt", "user", "pid", "net", "ipc", "uts", "cgroup"} }

// Spaces are namespaces by kind.
type Spaces map[string]uint32

// ReadSpaces reads those of a process. One that cannot be read is left out.
func ReadSpaces(pid int) Spaces {
	all := Spaces{}
	for _, kind := range spaceKinds() {
		if inode, err := readSpace(pid, kind); err == nil {
			all[kind] = inode
		}
	}
	return all
}

func readSpace(pid int, kind string) (uint32, error) {
	text, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return 0, err
	}
	_, inner, _ := strings.Cut(text, "[")
	n, err := strconv.ParseUint(strings.TrimSuffix(inner, "]"), 10, 32)
	return uint32(n), err
}

// Place is a directory: its device as the kernel has it (major << 20 | minor), and
// its inode.
type Place struct {
	Dev uint32
	Ino uint64
}

const majorShift = 20

func placeOf(path string) (Place, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Place{}, err
	}
	return Place{unix.Major(st.Dev)<<majorShift | unix.Minor(st.Dev), st.Ino}, nil
}

// Host is what no process of a container has.
type Host struct {
	Spaces Spaces
	Root   Place
}

// ReadHost reads it from the host's first process. Where that may do more than we may,
// it cannot be read: then what we have ourselves is the host's.
func ReadHost() (Host, error) {
	for _, pid := range []int{1, os.Getpid()} {
		h := Host{Spaces: ReadSpaces(pid)}
		root, err := placeOf(fmt.Sprintf("/proc/%d/root", pid))
		if h.Root = root; err == nil && len(h.Spaces) == len(spaceKinds()) {
			return h, nil
		}
	}
	return Host{}, errors.New("the host's namespaces cannot be read")
}

// Mount is one mount that a container sees.
type Mount struct {
	At, Type string
	ReadOnly bool
}

// Container is one that is watched.
type Container struct {
	Entry  decision.Entry
	Held   bool // its policy is enforced
	Init   lowlevel.Init
	Given  *lowlevel.Given
	Group  freeze.Mark // of its control group
	Spaces Spaces
	Root   Place
	// Mounts are by id; RootMount is that of its root file system.
	Mounts    map[int]Mount
	RootMount int
	Began     time.Time
	// Joined is true where it joined the pid namespace of another.
	Joined bool
	// Unmade is true where its first process had executed nothing when it was read: the
	// low-level runtime was still making it.
	Unmade bool
	// alone are processes that were not judged, by when they were first seen.
	alone map[lowlevel.Init]time.Time
}

// errLeft means that the container ended while it was read.
var errLeft = errors.New("the container ended")

// ReadContainer reads what is to be held against. The low-level runtime has started
// its first process.
func ReadContainer(e decision.Entry) (*Container, error) {
	e.Record = slim(e.Record)
	c := &Container{Entry: e, Held: e.Record.Decision.Outcome != decision.Complained, Began: e.Record.Decision.Time, alone: map[lowlevel.Init]time.Time{}}
	var err error
	if c.Init, err = lowlevel.FindInit(e.Root, e.ID); err != nil {
		return nil, err
	}
	if c.Given, err = lowlevel.FindGiven(e.Root, e.ID); err != nil {
		return nil, err
	}
	c.Given = slimGiven(c.Given)
	c.Group = freeze.MarkOf(c.Given.Cgroups)
	c.Spaces = ReadSpaces(c.Init.Pid)
	ids := field(c.Init.Pid, "NSpid")
	s, _ := readStatus(c.Init.Pid)
	c.Unmade = s.forked
	c.Joined = len(ids) > 1 && ids[len(ids)-1] != "1"
	if c.Root, err = placeOf(fmt.Sprintf("/proc/%d/root", c.Init.Pid)); err == nil {
		err = c.readMounts()
	}
	if !c.Init.Alive() || len(c.Spaces) < len(spaceKinds()) {
		return nil, errLeft
	}
	return c, err
}

// mountsMost bounds what is read of a container's mounts.
const mountsMost = 4096

// readMounts reads proc_pid_mountinfo(5) of the first process.
func (c *Container) readMounts() error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mountinfo", c.Init.Pid))
	if err != nil {
		return err
	}
	defer f.Close()
	c.Mounts = map[int]Mount{}
	lines := bufio.NewScanner(f)
	for lines.Scan() && len(c.Mounts) < mountsMost {
		id, m, ok := parseMount(lines.Text())
		if !ok {
			continue
		}
		c.Mounts[id] = m
		if m.At == "/" {
			c.RootMount = id
		}
	}
	return lines.Err()
}

func parseMount(line string) (int, Mount, bool) {
	const least, at, options = 6, 4, 5
	before, after, ok := strings.Cut(line, " - ")
	fields, types := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < least || len(types) < 1 {
		return 0, Mount{}, false
	}
	id, err := strconv.Atoi(fields[0])
	ro := strings.HasPrefix(fields[options]+",", "ro,")
	return id, Mount{At: fields[at], Type: types[0], ReadOnly: ro}, err == nil
}

// Before is true for an event of before its first process started: a pid namespace and
// a name come again.
func (c *Container) Before(s probe.Sight) bool {
	const tick = 10 * time.Millisecond                   // USER_HZ, in which proc_pid_stat(5) tells a start
	return s.Booted/tick < time.Duration(c.Init.Started) //nolint:gosec // ticks since boot
}

// own is true for a kind of namespace that is the container's, not the host's. That
// its first process has the host's now does not make it so.
func (c *Container) own(kind string, h Host) bool {
	if kind == "mnt" || kind == "user" && c.Entry.Record != nil && c.Entry.Record.IDs.Size > 0 {
		return true
	}
	return c.Spaces[kind] != h.Spaces[kind]
}

// Key names it among all.
func (c *Container) Key() string { return c.Entry.Root + "\x00" + c.Entry.ID }

// Mask is its capabilities, by their numbers. All, where it is not known.
func (c *Container) Mask(number func(string) (int, bool)) uint64 {
	if c.Given == nil || c.Given.Capabilities == nil {
		return ^uint64(0)
	}
	var mask uint64
	for _, name := range c.Given.Capabilities.Bounding {
		if n, ok := number(strings.ToUpper(name)); ok {
			mask |= 1 << n
		}
	}
	return mask
}

// Paths are its control group's, from each hierarchy's root, by controller.
func (c *Container) groupPaths() map[string]string {
	all := map[string]string{}
	if c.Given == nil {
		return all
	}
	for controller, dir := range c.Given.Cgroups {
		rest, ok := strings.CutPrefix(dir, "/sys/fs/cgroup/")
		if !ok {
			continue
		}
		if controller != "" || strings.HasPrefix(rest, "unified/") { // version 1, and a hybrid's second
			_, rest, _ = strings.Cut(rest, "/")
		}
		all[controller] = "/" + filepath.Clean(rest)
	}
	return all
}

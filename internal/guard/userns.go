package guard

import (
	"math"
	"path"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// A user namespace can only narrow: whoever is root in it has no capability
// over anything outside, and the ids in it are the host's ids that it maps. As
// long as it maps no user of the host, its processes own nothing there. So one
// may be added where there was none, and never changed.

// leastHostID is where ids begin that no user of the host has.
const leastHostID = 1 << 16

// RootSwap says that the root file system was replaced by another mount of the
// same layers, the upper one first; without layers it is the same directory.
// Handle is a path (/proc/self/fd/N) of the directory that was examined.
type RootSwap struct {
	Before, After string // as the documents have them
	Handle        string
	Layers        []Pair
}

// Pair is a path on the host and a path (/proc/self/fd/N) of what takes its
// place.
type Pair struct{ Path, Handle string }

// Device says that the mount of Source at Path stands for a device of
// linux.devices.
type Device struct{ Path, Source string }

// userNamespace is what a document says of the user namespace.
type userNamespace struct {
	there bool
	path  string
}

type device struct {
	Path  string `json:"path"`
	Type  string `json:"type"`
	Major int64  `json:"major"`
	Minor int64  `json:"minor"`
}

// look reads what rules of several fields need. The rules that need a part that
// cannot be read refuse.
func (c *check) look(docs ...[]byte) {
	for i, doc := range docs {
		top, err := split(doc)
		if err != nil {
			continue
		}
		linux, err := split(find(top, "linux"))
		if err != nil {
			continue
		}
		if settings, err := split(find(linux, "sysctl")); err == nil {
			read(find(settings, domainSetting), &c.domains[i])
		}
		all, err := list(find(linux, "namespaces"))
		if err != nil {
			continue
		}
		for _, v := range all {
			var ns namespace
			if read(v, &ns) && ns.Type == "user" {
				c.users[i] = userNamespace{true, ns.Path}
			}
		}
		nodes, err := list(find(linux, "devices"))
		if err != nil {
			continue
		}
		for _, v := range nodes {
			var d device
			if read(v, &d) {
				c.devices[i] = append(c.devices[i], d)
			}
		}
	}
}

type idMapping struct {
	ContainerID *uint32 `json:"containerID"`
	HostID      *uint32 `json:"hostID"`
	Size        *uint32 `json:"size"`
}

// mappings may be added together with a user namespace, and map no user of the
// host.
func mappings(c *check, at string, before, after jsontext.Value) {
	was, err1 := list(before)
	is, err2 := list(after)
	if err1 != nil || err2 != nil {
		c.refuse(at, errShape.Error())
		return
	}
	if c.users[0].there || !c.users[1].there || len(was) > 0 && len(is) == 0 && c.users[1].path == "" {
		same(c, at, before, after)
		return
	}
	var inside, outside []span
	for _, v := range is {
		var m idMapping
		if !read(v, &m) || m.ContainerID == nil || m.HostID == nil || m.Size == nil || *m.Size == 0 ||
			uint64(*m.HostID)+uint64(*m.Size) > math.MaxUint32 || uint64(*m.ContainerID)+uint64(*m.Size) > math.MaxUint32 {
			c.refuse(at, errShape.Error())
			return
		}
		if *m.HostID < leastHostID {
			c.refuse(at, "it maps users of the host")
			return
		}
		in, out := span{*m.ContainerID, *m.ContainerID + *m.Size - 1}, span{*m.HostID, *m.HostID + *m.Size - 1}
		if slices.ContainsFunc(inside, in.overlaps) || slices.ContainsFunc(outside, out.overlaps) {
			c.refuse(at, "an id is mapped twice")
			return
		}
		inside, outside = append(inside, in), append(outside, out)
	}
}

type span struct{ first, last uint32 }

func (s span) overlaps(o span) bool { return s.first <= o.last && o.first <= s.last }

// narrowed holds the evidence for a user namespace that is joined: it maps no
// user of the host.
func (c *check) narrowed(ns namespace) bool {
	if ns.Type != "user" || c.users[0].there || c.evidence.Mapping == nil {
		return false
	}
	// The mapping is read by a path of procfs: before and after it must lead to
	// what is joined.
	path := c.beforeHeld(ns)
	lines, err := c.evidence.Mapping(path)
	if err != nil || len(lines) == 0 || path != ns.Path && !c.sameFile(path, ns.Path) {
		return false
	}
	return !slices.ContainsFunc(lines, func(l [2]uint32) bool {
		return l[0] < leastHostID || uint64(l[0])+uint64(l[1]) > math.MaxUint32
	})
}

// rootPath holds the evidence for another root file system.
func rootPath(c *check, at string, before, after jsontext.Value) {
	var was, is string
	if !read(before, &was) || !read(after, &is) || !c.sameRoot(was, is) {
		same(c, at, before, after)
	}
}

// sameRoot: the new root is the directory that was examined, or the new mount
// has the layers of the old one in their order, each the same directory, and
// forbids what the old one did. Which layers the old one has is asked of the
// kernel, by a path that leads to what was examined.
func (c *check) sameRoot(was, is string) bool {
	ev, r := c.evidence, c.evidence.Root
	if r == nil || r.Before != was || r.After != is || ev.Identify == nil || ev.Layers == nil {
		return false
	}
	if len(r.Layers) == 0 {
		return c.sameFile(r.Handle, r.After)
	}
	host := was
	if !path.IsAbs(host) {
		host = path.Join(ev.Bundle, host)
	}
	layers, err := ev.Layers(host)
	if err != nil || len(layers) != len(r.Layers) || !c.sameFile(host, r.Handle) || !c.asRestricted(host, r.After) {
		return false
	}
	for i, l := range r.Layers {
		if l.Path != layers[i] || !c.sameFile(l.Path, l.Handle) {
			return false
		}
	}
	return true
}

// asRestricted: what the mount at the first path forbids, the other forbids too.
func (c *check) asRestricted(before, after string) bool {
	if c.evidence.Forbids == nil {
		return false
	}
	was, err1 := c.evidence.Forbids(before)
	is, err2 := c.evidence.Forbids(after)
	return err1 == nil && err2 == nil && was&^is == 0
}

func (c *check) sameFile(a, b string) bool {
	dev1, ino1, err1 := c.evidence.Identify(a)
	dev2, ino2, err2 := c.evidence.Identify(b)
	return err1 == nil && err2 == nil && dev1 == dev2 && ino1 == ino2
}

// staged holds the evidence for a bind mount in the place of a device: its
// node has the numbers that linux.devices had at that path, and the list is
// gone.
func (c *check) staged(m mount) bool {
	if m.Type != "bind" || c.evidence.Node == nil || len(c.devices[1]) > 0 {
		return false
	}
	for _, d := range c.evidence.Devices {
		if d.Path != m.Destination || d.Source != m.Source {
			continue
		}
		typ, major, minor, err := c.evidence.Node(d.Source)
		return err == nil && slices.ContainsFunc(c.devices[0], func(o device) bool {
			return o.Path == d.Path && (o.Type == typ || o.Type == "u" && typ == "c") && o.Major == major && o.Minor == minor
		})
	}
	return false
}

// Sysfs says that the bind mount of Source at Destination stands for a sysfs.
type Sysfs struct{ Destination, Source string }

// madeOutside holds the evidence for a sysfs that was mounted from outside: it
// is one, and not that of the host's network namespace, which has a device
// number of its own.
func (c *check) madeOutside(was, is mount) bool {
	ev := c.evidence
	if was.Type != "sysfs" || was.bind() || is.Type != "bind" || was.Destination != is.Destination || ev.FSType == nil || ev.Identify == nil {
		return false
	}
	if !slices.Contains(ev.Sysfs, Sysfs{is.Destination, is.Source}) {
		return false
	}
	kind, err := ev.FSType(is.Source)
	host, _, err1 := ev.Identify("/sys")
	own, _, err2 := ev.Identify(is.Source)
	return err == nil && kind == "sysfs" && err1 == nil && err2 == nil && host != own
}

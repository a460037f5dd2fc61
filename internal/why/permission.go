package why

import (
	"fmt"
	"slices"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/inside"
)

// The bits of a mode for one class (inode(7)).
const (
	read   = 4
	write  = 2
	search = 1
)

// world is who asks for a file, in one of two worlds: as the container is, and
// as it was asked for.
type world struct {
	uid, gid uint32
	groups   []uint32
	caps     []string
	mapped   bool // owners without an id in the container's namespace are beyond its capabilities
}

// insideOr is an id in a container, or the host's where it has none there.
func insideOr(maps []host.IDMap, outside uint32) (uint32, bool) {
	if id, ok := inside.Inside(maps, outside); ok {
		return id, true
	}
	return outside, false
}

func (c *Container) asItIs() world {
	uid, gid := c.ids()
	w := world{uid: uid, gid: gid, mapped: true}
	if c.User != nil {
		w.groups = []uint32{gid}
		if uid == 0 {
			w.caps = c.ofRoot()
		}
		return w
	}
	for _, g := range c.Process.Groups {
		in, ok := insideOr(c.Process.GIDs, g)
		if ok {
			w.groups = append(w.groups, in)
		}
	}
	w.caps = c.Process.Effective
	return w
}

// ofRoot are the capabilities of a process of the container whose user is root: those
// of the first process, where it is one, or what such a one would be given.
func (c *Container) ofRoot() []string {
	if c.Process == nil {
		return nil
	}
	if uid, _ := insideOr(c.Process.UIDs, c.Process.UID); uid == 0 {
		return c.Process.Effective
	}
	return c.Process.Bounding
}

// asAsked has the capabilities that hatchdog took, less those that the program
// gave up itself, and no user namespace of hatchdog's.
func (c *Container) asAsked(caps, userns bool) world {
	w := c.asItIs()
	if caps && w.uid == 0 {
		for _, name := range c.askedEffective() {
			if !slices.Contains(w.caps, name) && c.lost(name) != nil {
				w.caps = append(slices.Clone(w.caps), name)
			}
		}
	}
	w.mapped = !userns || !c.ownUserNS()
	return w
}

func (c *Container) askedEffective() []string {
	if a := c.askedCapabilities(); a != nil {
		return a.Effective
	}
	return nil
}

// may reports whether a world has an access to a node, by its owner and mode
// (path_resolution(7); kernel, fs/namei.c, generic_permission).
func (c *Container) may(w world, n inside.Node, want uint32) bool {
	uid, knownUID := insideOr(c.Process.UIDs, n.UID)
	gid, knownGID := insideOr(c.Process.GIDs, n.GID)
	if !knownUID && w.mapped {
		uid = ^uint32(0)
	}
	if !knownGID && w.mapped {
		gid = ^uint32(0)
	}
	mode := n.Mode & 0o7
	switch {
	case uid == w.uid:
		mode = n.Mode >> 6 & 0o7
	case gid == w.gid || slices.Contains(w.groups, gid):
		mode = n.Mode >> 3 & 0o7
	}
	if mode&want == want {
		return true
	}
	if w.mapped && (!knownUID || !knownGID) {
		return false
	}
	if n.Dir() {
		if want&write == 0 && slices.Contains(w.caps, "CAP_DAC_READ_SEARCH") {
			return true
		}
		return slices.Contains(w.caps, "CAP_DAC_OVERRIDE")
	}
	if want == read && slices.Contains(w.caps, "CAP_DAC_READ_SEARCH") {
		return true
	}
	return slices.Contains(w.caps, "CAP_DAC_OVERRIDE") && (want&search == 0 || n.Mode&0o111 != 0)
}

// bits: owner and mode of what lies there.
func (c *Container) bits(what string, p *inside.Place, use Use) *Finding {
	want := map[Use]uint32{Read: read, Write: write, Execute: search}[use]
	if p.Node.Dir() && use == Write {
		want |= search
	}
	return c.permission(what, p.Node, want)
}

// permission: nil where owner and mode do not stand in the way.
func (c *Container) permission(what string, n inside.Node, want uint32) *Finding {
	if c.may(c.asItIs(), n, want) {
		return nil
	}
	var f Finding
	uid, gid := c.ids()
	facts := fmt.Sprintf("%s: mode %04o, owner %s; the process is %d:%d", n.Path, n.Mode&0o7777, c.owner(n), uid, gid)
	if fs := fsType(n); fs == "proc" || fs == "sysfs" {
		if c.ownerUnmapped(n) && c.ownUserNS() && c.may(c.asAsked(true, true), n, want) {
			f = hatchdog(what, "it belongs to the host's root, which root in the container is not: hatchdog gave it a user namespace", c.where("userns.mode"), control.Set("userns.mode", "off")).lifts(noUserNS)
			f = f.with(facts)
			return &f
		}
	}
	switch {
	case n.ACL:
		f = undetermined(what, n.Path+" has an access list, which is not read")
	case c.may(c.asAsked(true, false), n, want):
		name := c.missingFor(n, want)
		f = hatchdog(what, "the owner and the mode deny it, and the profile took "+name+", which goes over them", c.where("capabilities.max"), c.grantCapability(name)...).lifts(c.givenBack(name))
	case c.may(c.asAsked(true, true), n, want):
		f = hatchdog(what, "its owner has no id in the user namespace that hatchdog gave the container", c.where("userns.mode"), control.Set("userns.mode", "off")).lifts(noUserNS).
			remedy("give the file on the host an owner that the container has")
	case c.ownerUnmapped(n) && c.asksUserNS():
		f = other(what, LayerNamespace, "its owner has no id in the user namespace that the engine asked for")
	default:
		f = other(what, LayerPermissions, "owner and mode of "+n.Path+" deny it").remedy(fmt.Sprintf("change its owner or mode, or run the program as another user (it runs as %d:%d)", uid, gid))
	}
	f = f.with(facts)
	return &f
}

func (c *Container) ownerUnmapped(n inside.Node) bool {
	_, uid := inside.Inside(c.Process.UIDs, n.UID)
	_, gid := inside.Inside(c.Process.GIDs, n.GID)
	return !uid || !gid
}

// owner is a node's owner as the container has it.
func (c *Container) owner(n inside.Node) string {
	uid, known := insideOr(c.Process.UIDs, n.UID)
	gid, knownGID := insideOr(c.Process.GIDs, n.GID)
	s := fmt.Sprintf("%d:%d", uid, gid)
	if !known || !knownGID {
		return fmt.Sprintf("%d:%d of the host, which the container has no id for", n.UID, n.GID)
	}
	return s
}

// missingFor is the capability that would have gone over the mode.
func (c *Container) missingFor(n inside.Node, want uint32) string {
	for _, name := range []string{"CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE"} {
		w := c.asItIs()
		if c.lost(name) == nil {
			continue
		}
		w.caps = append(slices.Clone(w.caps), name)
		if c.may(w, n, want) {
			return name
		}
	}
	return "CAP_DAC_OVERRIDE"
}

package why

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Use is what a container wants of a path.
type Use string

// The uses of a path.
const (
	Read    Use = "read"
	Write   Use = "write"
	Execute Use = "execute"
)

// Path says why a use of what lies at a path fails.
func (c *Container) Path(p *inside.Place, use Use) Finding {
	what := string(use) + " " + p.Asked
	for _, dir := range p.Dirs {
		if f := c.masked(what, dir); f != nil {
			return *f
		}
		if f := c.permission(what, dir, search); f != nil {
			return *f
		}
	}
	if p.Err != nil {
		return c.nothing(what, p, use)
	}
	if f := c.masked(what, p.Node); f != nil {
		return *f
	}
	for _, ask := range []func(string, *inside.Place, Use) *Finding{c.readOnly, c.kind, c.device, c.bits, c.noExec} {
		if f := ask(what, p, use); f != nil {
			return *f
		}
	}
	f := c.allowed(what, p)
	if use == Execute && slices.Contains(c.Prevent, drift) {
		by := "the kernel's guard denies running"
		if c.PreventBy != policy.ByGuard {
			by = "hatchctl watch, while it runs, denies running"
		}
		return f.with(by + " what the image does not hold (" + c.where("prevent.deny") + "): a file that was written since, or that lies where the container can write")
	}
	return f
}

// allowed: nothing that can be seen from here stops it.
func (c *Container) allowed(what string, p *inside.Place) Finding {
	f := undetermined(what, "nothing that can be seen from the host stops it", c.seen(p.Node)...)
	if p.Node.ACL {
		f.Evidence = append(f.Evidence, p.Node.Path+" has an access list, which is not read")
	}
	if l := c.Process.Label; l != "" && l != "unconfined" {
		f.Evidence = append(f.Evidence, "the security module's profile "+l+" is not asked: see what the kernel logged")
	}
	switch kind := fsType(p.Node); {
	case kind == "proc" || kind == "sysfs":
		f.Evidence = append(f.Evidence, "files of "+kind+" have rules of their own in the kernel")
	case strings.HasPrefix(kind, "fuse") || strings.HasPrefix(kind, "nfs") || kind == "9p" || kind == "cifs":
		f.Evidence = append(f.Evidence, "the server of the file system ("+kind+") has the last word")
	}
	return f
}

// seen says what was looked at.
func (c *Container) seen(n inside.Node) []string {
	uid, gid := c.ids()
	s := fmt.Sprintf("%s: mode %04o, owner %s; the process is %d:%d", n.Path, n.Mode&0o7777, c.owner(n), uid, gid)
	if n.Mount != nil {
		s += fmt.Sprintf("; mount %s (%s, %s)", n.Mount.Mountpoint, n.Mount.FSType, n.Mount.Options)
	}
	return []string{s}
}

func fsType(n inside.Node) string {
	if n.Mount == nil {
		return ""
	}
	return n.Mount.FSType
}

// masked: runc covers a file with /dev/null, and a directory with an empty file
// system that is read-only.
func (c *Container) masked(what string, n inside.Node) *Finding {
	if n.Mount == nil || c.Given == nil || n.Mount.Mountpoint == "/" {
		return nil
	}
	at := path.Clean(n.Mount.Mountpoint)
	if !slices.ContainsFunc(c.Given.MaskedPaths, func(m string) bool { return path.Clean(m) == at }) || !covered(n.Mount) {
		return nil
	}
	if ch := c.added("linux.maskedPaths", at); ch != nil {
		f := hatchdog(what, at+" is hidden: "+ch.Reason, c.where("mounts.masked"), control.Add("mounts.visible", control.Quoted(at))).lifts(unchanged(ch.Field, ch.After))
		return &f
	}
	f := other(what, LayerRequest, at+" is hidden, as the engine asked (linux.maskedPaths)").remedy("docker run --security-opt systempaths=unconfined shows all that the engine hides; hatchdog hides again what its profile lists")
	return &f
}

func covered(m *mountinfo.Info) bool {
	return strings.HasSuffix(m.Root, "/null") || m.FSType == "tmpfs" && option(m.Options, "ro")
}

func option(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }

// nothing: the path leads nowhere.
func (c *Container) nothing(what string, p *inside.Place, use Use) Finding {
	switch {
	case errors.Is(p.Err, inside.ErrMagic):
		return undetermined(what, p.Missing+" is "+p.Err.Error())
	case errors.Is(p.Err, inside.ErrLoop):
		return other(what, LayerFile, "symbolic links lead round in a circle, or one to another too often: "+p.Link)
	case errors.Is(p.Err, inside.ErrNotDir):
		return other(what, LayerFile, path.Dir(p.Missing)+" is no directory")
	case errors.Is(p.Err, inside.ErrLong):
		return other(what, LayerFile, "the path, or a name in it, is longer than the file system takes")
	case !errors.Is(p.Err, fs.ErrNotExist):
		return undetermined(what, "the host itself cannot follow it: "+p.Missing+": "+p.Err.Error())
	}
	if f := c.takenAway(what, p.Missing); f != nil {
		return *f
	}
	if kernels := fsType(last(p.Dirs)) == "proc" || fsType(last(p.Dirs)) == "sysfs"; !kernels && len(p.Dirs) > 0 && use == Write && p.Link == "" && path.Clean("/"+p.Asked) == p.Missing {
		dir := &inside.Place{Asked: p.Asked, Node: p.Dirs[len(p.Dirs)-1], NoSpace: p.NoSpace, NoInodes: p.NoInodes, Fd: -1, Root: -1}
		for _, ask := range []func(string, *inside.Place, Use) *Finding{c.readOnly, c.bits} {
			if f := ask(what, dir, Write); f != nil {
				return *f
			}
		}
		return undetermined(what, "it is not there; nothing that can be seen from the host stops the process from making it", c.seen(dir.Node)...)
	}
	reason := p.Missing + " is not there"
	if p.Link != "" {
		reason += " (by the link " + p.Link + ")"
	}
	f := other(what, LayerMissing, reason)
	if ch := c.change("linux.namespaces[user]"); ch != nil && fsType(last(p.Dirs)) == "sysfs" {
		return undetermined(what, reason+"; what sysfs shows differs with the namespaces of the container")
	}
	if fsType(last(p.Dirs)) == "proc" {
		return undetermined(what, reason+"; procfs hides what the process may not see")
	}
	return f
}

func last(dirs []inside.Node) inside.Node {
	if len(dirs) == 0 {
		return inside.Node{}
	}
	return dirs[len(dirs)-1]
}

// takenAway: the request had it there.
func (c *Container) takenAway(what, at string) *Finding {
	for _, ch := range c.Changes {
		kind, name, ok := strings.Cut(strings.TrimSuffix(ch.Field, "]"), "[")
		if !ok || !c.Held || ch.After != "none" || !below(at, name) {
			continue
		}
		switch kind {
		case "linux.devices":
			f := hatchdog(what, name+" was taken out of the request: "+ch.Reason, c.where("devices.allow"), ch.Grants...).lifts(unchanged(ch.Field, ch.After))
			return &f
		case "mounts":
			f := hatchdog(what, name+" was taken out of the request: "+ch.Reason, c.where("mounts.protect"), ch.Grants...).lifts(unchanged(ch.Field, ch.After))
			return &f
		}
	}
	return nil
}

// kind: what cannot be done with this kind of thing by anybody.
func (c *Container) kind(what string, p *inside.Place, use Use) *Finding {
	n := p.Node
	var f Finding
	switch {
	case use == Write && n.Immutable:
		f = other(what, LayerFile, n.Path+" is immutable (chattr +i)")
	case use == Write && n.Appends:
		f = other(what, LayerFile, n.Path+" takes what is appended and nothing else (chattr +a)")
	case use == Execute && n.Dir():
		f = other(what, LayerFile, n.Path+" is a directory")
	case use == Execute && !n.Regular():
		f = other(what, LayerFile, n.Path+" is not a regular file")
	default:
		return nil
	}
	return &f
}

// PathOfGone knows no more than the changes.
func (c *Container) PathOfGone(at string) Finding {
	what := "use " + at
	clean := path.Clean("/" + at)
	for _, list := range []struct{ field, key, words string }{
		{"linux.maskedPaths", "mounts.masked", "was hidden"}, {"linux.readonlyPaths", "mounts.readOnly", "was read-only"},
	} {
		for i := range c.Changes {
			ch := &c.Changes[i]
			if c.Held && ch.Field == list.field && ch.Before == "" && below(clean, ch.After) {
				return hatchdog(what, ch.After+" "+list.words+": "+ch.Reason, c.where(list.key), control.Add("mounts.visible", control.Quoted(ch.After))).lifts(unchanged(ch.Field, ch.After))
			}
		}
	}
	if f := c.takenAway(what, clean); f != nil {
		return *f
	}
	return undetermined(what, "the container does not run: what lies there cannot be looked at, and no change that is kept names it")
}

package why

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// readOnly: who made it so.
func (c *Container) readOnly(what string, p *inside.Place, use Use) *Finding {
	if use != Write || p.Node.Mount == nil {
		return nil
	}
	m := p.Node.Mount
	if p.Node.Device() { // of a mount that is read-only, a device is written to all the same
		return nil
	}
	var f Finding
	at := path.Clean(m.Mountpoint)
	switch {
	case option(m.Options, "ro"):
		f = c.readOnlyMount(what, at)
	case option(m.VFSOptions, "ro"):
		f = other(what, LayerHost, "the file system itself is read-only ("+m.FSType+" at "+at+")")
	case p.NoSpace, p.NoInodes && p.Node.Dir():
		f = other(what, LayerDisk, "the file system at "+at+" has no space, or no inodes, left")
	default:
		return nil
	}
	f = f.with(fmt.Sprintf("mount %s: %s, %s", at, m.FSType, m.Options))
	return &f
}

func (c *Container) readOnlyMount(what, at string) Finding {
	if c.Given != nil && slices.ContainsFunc(c.Given.ReadonlyPaths, func(r string) bool { return path.Clean(r) == at }) {
		if ch := c.added("linux.readonlyPaths", at); ch != nil {
			return hatchdog(what, at+" is read-only: "+ch.Reason, c.where("mounts.readOnly"), control.Add("mounts.visible", control.Quoted(at))).lifts(unchanged(ch.Field, ch.After))
		}
		return other(what, LayerRequest, at+" is read-only, as the engine asked (linux.readonlyPaths)")
	}
	if at == "/" {
		if ch := c.change("root.readonly"); ch != nil {
			return hatchdog(what, "the root file system is read-only: "+ch.Reason, c.where("rootfs.readOnly"), control.Set("rootfs.readOnly", "false")).lifts(unchanged(ch.Field, ch.After)).remedy("give the program a volume or a tmpfs for what it writes")
		}
		if c.Asked != nil && c.Asked.Root != nil && c.Asked.Root.Readonly {
			return other(what, LayerReadOnly, "the engine asked for a root file system that is read-only")
		}
		return undetermined(what, "the root file system is mounted read-only, and nobody is on record for it")
	}
	m := c.askedMount(at)
	switch ch := c.change("mounts[" + at + "].options"); {
	case m != nil && readsOnly(m.Options):
		return other(what, LayerReadOnly, "the engine asked for "+at+" to be mounted read-only")
	case ch != nil && readsOnly(strings.Split(ch.After, ",")):
		f := hatchdog(what, at+" is mounted read-only: "+ch.Reason, c.where("mounts.readOnlyAt"))
		if c.Profile != nil && slices.Contains(c.Profile.Mounts.ReadOnlyAt, at) {
			f.Grants = []control.Grant{control.Set("mounts.readOnlyAt", listWithout(c.Profile.Mounts.ReadOnlyAt, at))}
		}
		return f.lifts(unchanged(ch.Field, ch.After))
	case m != nil:
		return other(what, LayerHost, "the engine asked for "+at+" to be writable, and the host has it mounted read-only")
	}
	return undetermined(what, at+" is mounted read-only, and neither the request nor a change names it")
}

func readsOnly(options []string) bool {
	ro := false
	for _, o := range options {
		switch o {
		case "ro", "rro":
			ro = true
		case "rw", "rrw":
			ro = false
		}
	}
	return ro
}

// noExec: the mount takes no programs.
func (c *Container) noExec(what string, p *inside.Place, use Use) *Finding {
	m := p.Node.Mount
	if use != Execute || m == nil || !option(m.Options, "noexec") {
		return nil
	}
	at := path.Clean(m.Mountpoint)
	f := c.byOption(what, at, "noexec", "programs of "+at+" are not started (noexec)")
	return &f
}

// byOption: who gave a mount an option that takes something away.
func (c *Container) byOption(what, at, name, reason string) Finding {
	asked := c.askedMount(at)
	ch := c.change("mounts[" + at + "].options")
	switch {
	case asked != nil && slices.Contains(asked.Options, name):
		return other(what, LayerRequest, reason+", as the engine asked")
	case ch != nil && slices.Contains(strings.Split(ch.After, ","), name):
		return hatchdog(what, reason+": "+ch.Reason, c.where("mounts"), c.withoutOption(name)...).lifts(func(changes []control.Attributed, _ *policy.Profile) bool {
			now := (&Container{Changes: changes, Held: true}).change(ch.Field)
			return now == nil || !slices.Contains(strings.Split(now.After, ","), name)
		})
	case asked != nil:
		return other(what, LayerHost, reason+": the host has it mounted so")
	case at == "/" && c.ownUserNS():
		return undetermined(what, reason+"; the root file system is mounted by hatchdog for the user namespace")
	}
	return undetermined(what, reason+", and neither the request nor a change names the mount")
}

// withoutOption are the keys that add an option to mounts.
func (c *Container) withoutOption(name string) []control.Grant {
	if c.Profile == nil {
		return nil
	}
	var grants []control.Grant
	if slices.Contains(c.Profile.Mounts.TmpOptions, name) {
		grants = append(grants, control.Set("mounts.tmpOptions", listWithout(c.Profile.Mounts.TmpOptions, name)))
	}
	var flags []string
	for _, o := range c.Profile.Mounts.WritableOptions {
		flags = append(flags, string(o))
	}
	if slices.Contains(flags, name) {
		grants = append(grants, control.Set("mounts.writableOptions", listWithout(flags, name)))
	}
	return grants
}

func listWithout(list []string, name string) string {
	rest := slices.DeleteFunc(slices.Clone(list), func(o string) bool { return o == name })
	return "[" + strings.Join(rest, ", ") + "]"
}

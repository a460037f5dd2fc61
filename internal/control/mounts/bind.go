package mounts

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// bind judges a bind mount by what its source really is.
func (c mounts) bind(e *edit, p *specs.Process) {
	src, ok := c.facts.Sources[e.mount.Source]
	if !ok || src.Err != "" {
		reason := "its source cannot be examined"
		if src.Err != "" {
			reason += ": " + src.Err
		}
		c.refuse(e, ".source", reason, "mounts.protect", "check that the path is there")
		return
	}
	if ordinary(src) && c.recursive() {
		device(e)
		return
	}
	access, rule, named := c.access(src)
	switch {
	case access == policy.AccessNone:
		c.refuse(e, ".source", sentence(src, rule), "mounts.protect",
			"mount a directory of its own instead", c.exceptions(src, asked(e.mount))...)
		return
	case (src.Socket || src.Fifo) && !c.profile.Mounts.Sockets && !named:
		c.refuse(e, ".source", src.Resolved+" is a "+kind(src)+" of the host: whoever can talk to it can have a service of the host act for them",
			"mounts.sockets", "leave it out", exception(src.Resolved, policy.AccessRW))
		return
	case src.Device && !named:
		c.refuse(e, ".source", src.Resolved+" is a device node of the host", "mounts.allow",
			"leave it out, or, with the device in devices.allow,", exception(src.Resolved, policy.AccessRW))
		return
	}
	if access == policy.AccessRO && !c.readOnly(e, src, sentence(src, rule)) {
		return
	}
	if src.Device || !c.recursive() {
		return
	}
	e.need("rnodev", "device nodes come from the list of devices alone", "dev", "rdev")
	if p != nil && p.NoNewPrivileges {
		// Under noNewPrivileges setuid programs gain nothing here; for another
		// container on the same volume they would.
		e.need("rnosuid", "a setuid program on a volume gains nothing", "suid", "rsuid")
	}
	if slices.Contains(c.profile.Mounts.ReadOnlyAt, at(e.mount)) {
		e.need("rro", "the profile lets the container read it alone", "rrw")
	}
	if slices.Contains(e.mount.Options, "rro") || asked(e.mount) == policy.AccessRO || !slices.Contains(c.facts.Runtime.MountOptions, "rnoexec") {
		return
	}
	for _, o := range c.profile.Mounts.WritableOptions {
		on := strings.TrimPrefix(string(o), "no")
		e.need("r"+string(o), "the profile's options for volumes that the container writes", on, "r"+on)
	}
}

func kind(src host.Source) string {
	if src.Fifo {
		return "FIFO"
	}
	return "socket"
}

// ordinary reports whether a source is one of the device nodes that every
// container has (spec, config-linux.md, "Default Devices"; numbers: the
// kernel's devices.txt), under whatever name.
func ordinary(src host.Source) bool {
	return src.Device && slices.Contains([]host.Node{
		{Type: "c", Major: 1, Minor: 3}, {Type: "c", Major: 1, Minor: 5}, {Type: "c", Major: 1, Minor: 7}, {Type: "c", Major: 1, Minor: 8}, {Type: "c", Major: 1, Minor: 9},
	}, src.Node)
}

// device keeps the host's node as it is: what is written to a device goes
// there over a read-only mount too, but its owner and mode cannot be changed.
func device(e *edit) {
	e.need("rro", "the owner and the mode of the host's device node stay", "rrw")
}

// asked is the access that a mount asks for.
func asked(m specs.Mount) policy.Access {
	if slices.Contains(m.Options, "ro") || slices.Contains(m.Options, "rro") {
		return policy.AccessRO
	}
	return policy.AccessRW
}

// exceptions are those that open a source under each of its names.
func (c mounts) exceptions(src host.Source, want policy.Access) []control.Grant {
	var all []control.Grant
	for _, name := range c.names(src) {
		access, _ := c.profile.Mounts.AccessFor(name)
		if len(c.profile.Mounts.Contains(name))+len(src.Contains) > 0 || c.bringsProtected(src) {
			access = policy.AccessNone // it opens as a whole, or not at all
		}
		if rank(access) < rank(want) {
			all = append(all, exception(name, want))
		}
	}
	return all
}

// exception is an entry of mounts.allow.
func exception(path string, access policy.Access) control.Grant {
	return control.Add("mounts.allow", "{path: "+control.Quoted(path)+", access: "+string(access)+"}")
}

func sentence(src host.Source, rule policy.PathRule) string {
	reason := rule.Reason
	if reason == "" {
		reason = "a protected path of the host"
	}
	where := src.Resolved + " is protected"
	if rule.Path != src.Resolved {
		where = src.Resolved + " reaches " + rule.Path + ", which is protected"
	}
	return where + ": " + reason
}

// access is the narrowest access of all names that the source has, and of all
// protected paths that it contains. named is true where an exception of the
// profile names it. A name that the administrator opened is open as a whole.
func (c mounts) access(src host.Source) (policy.Access, policy.PathRule, bool) {
	access, by, named := policy.AccessRW, policy.PathRule{}, false
	narrow := func(a policy.Access, rule policy.PathRule) {
		if rank(a) < rank(access) {
			access, by = a, rule
		}
	}
	whole := true
	for _, name := range c.names(src) {
		if rule, ok := c.profile.Mounts.Opens(name); ok {
			narrow(rule.Access, rule)
			named = true
			continue
		}
		whole = false
		a, rule := c.profile.Mounts.AccessFor(name)
		narrow(a, rule)
		named = named || slices.Contains(c.profile.Mounts.Allow, rule)
		for _, below := range c.profile.Mounts.Contains(name) {
			narrow(below.Access, below)
		}
	}
	if whole {
		return access, by, named
	}
	for _, rule := range c.profile.Mounts.Protect {
		if slices.Contains(src.Contains, rule.Path) {
			narrow(rule.Access, rule)
		}
	}
	for _, name := range src.Brings {
		narrow(c.brought(name))
	}
	return access, by, named
}

func (c mounts) bringsProtected(src host.Source) bool {
	return slices.ContainsFunc(src.Brings, func(name string) bool {
		access, _ := c.brought(name)
		return access != policy.AccessRW
	})
}

// brought is the access to what a source brings along, by another name of it.
func (c mounts) brought(name string) (policy.Access, policy.PathRule) {
	access, by := c.profile.Mounts.AccessFor(name)
	for _, below := range c.profile.Mounts.Contains(name) {
		if rank(below.Access) < rank(access) {
			access, by = below.Access, below
		}
	}
	return access, by
}

// names are those by which a source is judged. Where dockerd mounts a part of a
// volume before it hands it on (DATA-ROOT/tmp/safe-mountN, 26 and newer), what
// is mounted there has the name that it has in the volume, and is judged by it.
func (c mounts) names(src host.Source) []string {
	if len(src.Aliases) > 0 && src.MountPoint && c.staged(src.Resolved) {
		return src.Aliases
	}
	return append([]string{src.Resolved}, src.Aliases...)
}

func (c mounts) staged(name string) bool {
	_, rule := c.profile.Mounts.AccessFor(name)
	rest, ok := strings.CutPrefix(name, rule.Path+"/tmp/safe-mount")
	return ok && rest != "" && strings.Trim(rest, "0123456789") == "" && slices.Contains(c.profile.Mounts.Protect, rule)
}

func rank(a policy.Access) int {
	switch a {
	case policy.AccessRW:
		return 2
	case policy.AccessRO:
		return 1
	}
	return 0
}

// recursive tells whether options for a whole tree can be had. The plain ones
// replace all flags of the mount that the source lies on, its own "ro" and
// "noexec" included, so they are no way to tighten a bind mount.
func (c mounts) recursive() bool {
	if !c.facts.Kernel.MountSetattr {
		return false
	}
	for _, o := range []string{"rro", "rnosuid", "rnodev"} {
		if !slices.Contains(c.facts.Runtime.MountOptions, o) {
			return false
		}
	}
	return true
}

// readOnly makes the tree read-only, or refuses.
func (c mounts) readOnly(e *edit, src host.Source, reason string) bool {
	switch {
	case slices.Contains(e.mount.Options, "rro") && !slices.Contains(e.mount.Options, "rrw"):
		return true
	case c.recursive():
		e.need("rro", reason+"; it can be read", "rrw")
		return true
	}
	c.refuse(e, ".options", reason+"; it may be mounted read-only, but this host's kernel or low-level runtime cannot make a whole tree so",
		"mounts.protect", "update the kernel to 5.12 and runc to 1.1", c.exceptions(src, policy.AccessRW)...)
	return false
}

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
	access, rule, named := c.access(src)
	switch {
	case access == policy.AccessNone:
		c.refuse(e, ".source", sentence(src, rule), "mounts.protect",
			"mount a directory of its own instead", c.exceptions(src, asked(e.mount))...)
		return
	case src.Socket && !c.profile.Mounts.Sockets && !named:
		c.refuse(e, ".source", src.Resolved+" is a socket of the host: whoever can talk to it can have a service of the host act for them",
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
	for _, name := range append([]string{src.Resolved}, src.Aliases...) {
		if access, _ := c.profile.Mounts.AccessFor(name); rank(access) < rank(want) {
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
// profile names it.
func (c mounts) access(src host.Source) (policy.Access, policy.PathRule, bool) {
	access, by, named := policy.AccessRW, policy.PathRule{}, false
	narrow := func(a policy.Access, rule policy.PathRule) {
		if rank(a) < rank(access) {
			access, by = a, rule
		}
	}
	for _, name := range append([]string{src.Resolved}, src.Aliases...) {
		a, rule := c.profile.Mounts.AccessFor(name)
		narrow(a, rule)
		named = named || slices.Contains(c.profile.Mounts.Allow, rule)
		for _, below := range c.profile.Mounts.Contains(name) {
			narrow(below.Access, below)
		}
	}
	for _, rule := range c.profile.Mounts.Protect {
		if slices.Contains(src.Contains, rule.Path) {
			narrow(rule.Access, rule)
		}
	}
	return access, by, named
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

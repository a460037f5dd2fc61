package why

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// hostOnly are the capabilities that the kernel asks of the host's own user
// namespace for all that they are there for (kernel, capable() and not
// ns_capable()).
func hostOnly() []string {
	return []string{
		"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_BOOT", "CAP_SYS_TIME", "CAP_MKNOD", "CAP_SYS_PACCT", "CAP_LINUX_IMMUTABLE",
		"CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_SYS_TTY_CONFIG", "CAP_AUDIT_CONTROL",
		"CAP_AUDIT_READ", "CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG",
	}
}

// Capability says why a container's process lacks a capability.
func (c *Container) Capability(name string) Finding {
	what := name
	asked, given := bounding(c.askedCapabilities()), c.given()
	lost := c.lost(name)
	uid, _ := c.ids()
	switch {
	case lost != nil && uid != 0 && c.Process != nil && !slices.Contains(ambient(c.askedCapabilities()), name):
		return c.notHeld(what, name).with("the profile takes it as well (" + c.where("capabilities") + ")")
	case c.Asked == nil && lost == nil:
		return undetermined(what, "the container is gone, and no change that is kept took it away: the engine did not ask for it, or the container had it")
	case lost != nil && !slices.Contains(given, name) && c.beganAsAnother():
		return hatchdog(what, "the engine asked for it, and the profile leaves a process that is not root what its ambient set asks for alone", c.where("capabilities.nonRoot"), append([]control.Grant{control.Set("capabilities.nonRoot", "keep")}, c.grantCapability(name)...)...).lifts(c.givenBack(name))
	case lost != nil && !slices.Contains(given, name):
		return hatchdog(what, "the engine asked for it, and the profile does not grant it", c.where("capabilities.max"), c.grantCapability(name)...).lifts(c.givenBack(name)).with(c.policyWords(lost)...)
	case !slices.Contains(asked, name) && !slices.Contains(given, name):
		return other(what, LayerRequest, "the engine did not ask for it").with(c.grantsToo(name)...).remedy("ask the engine for it (docker run --cap-add, securityContext.capabilities.add)")
	case c.Process == nil:
		return undetermined(what, "the container was given it, and does not run")
	case !slices.Contains(c.Process.Bounding, name):
		return other(what, LayerProgram, "the container was given it, and its first process gave it up")
	case !c.holds(name):
		return c.notHeld(what, name)
	case c.inUserNS() && slices.Contains(hostOnly(), name):
		reason := "the process has it in the container's user namespace, and the kernel asks for it in the host's"
		if c.ownUserNS() {
			return hatchdog(what, reason+"; hatchdog gave the user namespace", c.where("userns.mode"), control.Set("userns.mode", "off")).lifts(noUserNS)
		}
		return other(what, LayerNamespace, reason)
	}
	return undetermined(what, "the process has it: what fails is stopped by something else")
}

// beganAsAnother is true where the profile leaves none to a process that does not
// begin as root, and this one did not.
func (c *Container) beganAsAnother() bool {
	return c.Profile != nil && c.Profile.Capabilities.NonRoot == policy.NonRootAmbient && c.Asked != nil && c.Asked.Process != nil && c.Asked.Process.User.UID != 0
}

func (c *Container) askedCapabilities() *specs.LinuxCapabilities {
	if c.Asked == nil || c.Asked.Process == nil {
		return nil
	}
	return c.Asked.Process.Capabilities
}

func bounding(c *specs.LinuxCapabilities) []string {
	if c == nil {
		return nil
	}
	return c.Bounding
}

func ambient(c *specs.LinuxCapabilities) []string {
	if c == nil {
		return nil
	}
	return c.Ambient
}

// given are the capabilities that the low-level runtime gave, as far as known.
func (c *Container) given() []string {
	switch {
	case c.Given != nil:
		return bounding(c.Given.Capabilities)
	case c.Process != nil:
		return c.Process.Bounding
	}
	var kept []string
	for _, name := range bounding(c.askedCapabilities()) {
		if c.lost(name) == nil {
			kept = append(kept, name)
		}
	}
	return kept
}

// lost is the change that took a capability out of the bounding set.
func (c *Container) lost(name string) *control.Attributed {
	for _, field := range []string{"process.capabilities.bounding", "process.capabilities"} {
		for i := range c.Changes {
			ch := &c.Changes[i]
			if c.Held && ch.Field == field && slices.Contains(explain.Items(ch.Before), name) && !slices.Contains(explain.Items(ch.After), name) {
				return ch
			}
		}
	}
	return nil
}

func (c *Container) policyWords(ch *control.Attributed) []string {
	if ch.Control == "egress" {
		return []string{"the control egress took it: " + ch.Reason}
	}
	return nil
}

// grantsToo says that the policy stands in the way as well.
func (c *Container) grantsToo(name string) []string {
	if c.Profile == nil || slices.Contains(c.Profile.Capabilities.Max, name) {
		return nil
	}
	return []string{"the profile does not grant it either (" + c.where("capabilities.max") + "): asking for it is not enough"}
}

func (c *Container) givenBack(name string) lift {
	return func(changes []control.Attributed, _ *policy.Profile) bool {
		return (&Container{Changes: changes, Held: true}).lost(name) == nil
	}
}

func (c *Container) grantCapability(name string) []control.Grant {
	return []control.Grant{control.Add("capabilities.max", name)}
}

// holds reports whether whoever is asked for has a capability in force.
func (c *Container) holds(name string) bool {
	if c.User != nil && c.User.UID != 0 {
		return false // execve(2) and setuid(2) leave none
	}
	if c.User != nil {
		return slices.Contains(c.ofRoot(), name)
	}
	return c.Process != nil && slices.Contains(c.Process.Effective, name)
}

// notHeld: the container may have it, and the process has not.
func (c *Container) notHeld(what, name string) Finding {
	if uid, _ := c.ids(); uid != 0 {
		f := other(what, LayerUser, "the container may have it, but a process whose user is not root has none of them in force")
		if slices.Contains(ambient(c.askedCapabilities()), name) {
			return undetermined(what, f.Why+", and the engine asked for it as an ambient one")
		}
		return f.remedy("run the program as root, or with a file capability where no_new_privs is off")
	}
	return other(what, LayerProgram, "the container was given it, and its first process gave it up")
}

// ids are those of whoever is asked for, in the container.
func (c *Container) ids() (uid, gid uint32) {
	if c.User != nil {
		return c.User.UID, c.User.GID
	}
	if c.Process == nil {
		return 0, 0
	}
	uid, _ = insideOr(c.Process.UIDs, c.Process.UID)
	gid, _ = insideOr(c.Process.GIDs, c.Process.GID)
	return uid, gid
}

package why

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Module is a denial that a security module logged. own is the profile that the
// container got.
func (c *Container) Module(module, profile, action, name, own, seen string) Finding {
	what := action
	if name != "" {
		what += " " + name
	}
	reason := fmt.Sprintf("%s's profile %q denies it", module, profile)
	ch := c.change("process.apparmorProfile")
	if ch != nil && ch.After == profile && profile == own {
		f := hatchdog(what, reason+"; hatchdog gave the container that profile", c.where("apparmor.profile"))
		return f.with(seen)
	}
	return other(what, LayerModule, reason).with(seen)
}

// CallDenied is a call that a filter is known to have denied, with arguments that
// are not known.
func (c *Container) CallDenied(name string, native specs.Arch) Finding {
	what := "the call " + name
	if c.Given != nil {
		if given, _, err := c.ask(c.Given.Seccomp, Call{Name: name, Arch: native}); err == nil && given == passes {
			return other(what, LayerProgram, "a filter denied it, and the one that the container was given lets it through: the program has a filter of its own")
		}
	}
	byTable := hatchdog(what, "the filter denied it for its arguments, all of which the engine's filter lets through", c.where("seccomp.table"))
	if c.Asked == nil || c.Asked.Linux == nil || c.Asked.Linux.Seccomp == nil {
		return byTable
	}
	if asked, _, err := c.ask(c.Asked.Linux.Seccomp, Call{Name: name, Arch: native}); err == nil && asked == passes {
		return byTable
	}
	return undetermined(what, "the filter denied it for its arguments, which are not in the record; the engine's filter and the profile both look at them")
}

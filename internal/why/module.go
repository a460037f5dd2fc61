package why

import (
	"fmt"
	"strings"

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

// Labelled is a denial by SELinux: of a process with the label, of a thing with
// another.
func (c *Container) Labelled(action, class, name, label, target, seen string) Finding {
	what := action
	if name != "" {
		what += " " + name
	}
	reason := fmt.Sprintf("SELinux's policy does not let %s do that to a %s of %s; hatchdog leaves the labels as the engine gave them", typed(label), class, typed(target))
	return other(what, LayerModule, reason).with(seen)
}

// typed names the type of a label, USER:ROLE:TYPE:LEVEL, or the label where the
// types of two may be the same and the categories decide.
func typed(label string) string {
	parts := strings.SplitN(label, ":", 4)
	if len(parts) < 3 {
		return fmt.Sprintf("the label %q", label)
	}
	if len(parts) == 4 && strings.Contains(parts[3], ":") {
		return fmt.Sprintf("the type %s and the categories %s", parts[2], parts[3][strings.IndexByte(parts[3], ':')+1:])
	}
	return "the type " + parts[2]
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

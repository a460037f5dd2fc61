// Package hooks admits the hooks that the profile lists. A hook runs as the
// host's root.
//
// Guarantees: every hook left leads to an executable that the profile lists
// and that only root can change, or is Docker's own network hook, told by the
// file that its path leads to and not by its name, or our own, both for this
// very container; a listed one gets no variable and no argument that the profile
// does not list, no name but its own, and not the environment of the container.
// Does not cover: the work of a listed hook; startContainer hooks, which are
// programs of the container: runc and crun run them inside, as the container's
// user, once capabilities are dropped and the filter is set
// (libcontainer/standard_init_linux.go).
// Requires: facts on each hook's executable.
// Spec fields touched: hooks.
package hooks

import (
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// dockerArg is the first argument of Docker's network hook
// (moby, libnetwork/sandbox_externalkey_unix.go).
const dockerArg = "libnetwork-setkey"

type hooks struct {
	profile *policy.Profile
	files   map[string]host.HookFile
	own     host.Own
	id      string // the container's
}

// New makes the control.
func New(p *policy.Profile, f host.Facts) control.Control { return hooks{p, f.Hooks, f.Own, f.ID} }

func (hooks) Name() string { return policy.Hooks }

type stage struct {
	field string
	hooks *[]specs.Hook
}

func (c hooks) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Hooks == nil {
		return nil, nil
	}
	var changes []control.Change
	var refusals []error
	for _, st := range []stage{
		{"prestart", &s.Hooks.Prestart}, //nolint:staticcheck // deprecated, but Docker uses it and runc runs it
		{"createRuntime", &s.Hooks.CreateRuntime},
		{"createContainer", &s.Hooks.CreateContainer},
		{"poststart", &s.Hooks.Poststart},
		{"poststop", &s.Hooks.Poststop},
	} {
		ch, err := c.stage(st)
		changes, refusals = append(changes, ch...), append(refusals, err...)
	}
	return changes, errors.Join(refusals...)
}

func (c hooks) stage(st stage) ([]control.Change, []error) {
	var changes []control.Change
	var refusals []error
	var kept []specs.Hook
	for i, h := range *st.hooks {
		reason := c.reason(st.field, h)
		field := fmt.Sprintf("hooks.%s[%d]", st.field, i)
		switch {
		case reason == "":
			changes = append(changes, c.environment(st.field, field, &h)...)
			kept = append(kept, h)
		case c.profile.OnExcess[policy.Hooks] == policy.Tighten:
			changes = append(changes, control.Change{Field: field, Before: h.Path, After: "none", Reason: reason})
		default:
			kept = append(kept, h)
			refusals = append(refusals, c.refusal(field, reason, h))
		}
	}
	if len(changes) > 0 {
		*st.hooks = kept
	}
	return changes, refusals
}

// refusal tells what helps. A file that others can change is for root to mend.
func (c hooks) refusal(field, reason string, h specs.Hook) error {
	r := &control.Refusal{
		Control: policy.Hooks, Field: field, Reason: reason, Policy: c.profile.Where("hooks.allow"), Remedy: "leave the hook out",
	}
	switch file, ok := c.files[h.Path]; {
	case !ok || file.Err != "":
		return r
	case reason == reasonTimeout:
		r.Remedy = "give it a second or more, or none"
		return r
	case reason == reasonLinked:
		r.Remedy = "leave the hook out, or name it " + file.Resolved
		return r
	case !file.RootOnly:
		r.Remedy = "leave the hook out, or let only root write to " + file.Resolved + " and the folders that it is in, and list it in hooks.allow"
		return r
	default:
		var grants []control.Grant
		if !slices.Contains(c.profile.Hooks.Allow, file.Resolved) {
			grants = append(grants, control.Add("hooks.allow", control.Quoted(file.Resolved)))
		}
		for _, arg := range c.unlisted(h, file) {
			grants = append(grants, control.Add("hooks.args", control.Quoted(arg)))
		}
		return r.Granting(grants...)
	}
}

// reason says why a hook is not admitted; "" is admitted.
func (c hooks) reason(field string, h specs.Hook) string {
	file, ok := c.files[h.Path]
	switch {
	case !ok || file.Err != "":
		return "its executable cannot be read"
	case field == "createRuntime" && c.own.Is(h, file): // of a create that was cut off
		return ""
	case file.Dockerd && c.profile.Hooks.DockerNetwork && c.docker(h.Args) && (field == "prestart" || field == "createRuntime"):
		return ""
	case !slices.Contains(c.profile.Hooks.Allow, file.Resolved):
		return "a hook runs as the host's root, and the profile does not list this one"
	case !file.RootOnly:
		return "others than root can change its executable"
	case file.Linked && (field == "poststart" || field == "poststop"):
		return reasonLinked
	case h.Timeout != nil && *h.Timeout < 1:
		return reasonTimeout
	case len(c.unlisted(h, file)) > 0:
		return "a listed hook would get arguments that the profile does not list"
	}
	return ""
}

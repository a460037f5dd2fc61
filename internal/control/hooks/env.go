package hooks

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// plainPath is the environment of a createContainer hook that has none of its
// own. Without one, runc before 1.3 gives it the environment of the container's
// process (libcontainer/init_linux.go, populateProcessEnvironment), which the
// image chooses, and the hook is still the host's root.
const plainPath = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

// environment leaves a hook the variables that the profile lists. The request
// chooses the others: BASH_ENV, PYTHONPATH, LD_PRELOAD and PATH each have a
// listed hook run other code.
func (c hooks) environment(stage, field string, h *specs.Hook) []control.Change {
	var kept, gone []string
	for _, env := range h.Env {
		name, _, ok := strings.Cut(env, "=")
		if ok && policy.Lists(c.profile.Hooks.Env, name) {
			kept = append(kept, env)
			continue
		}
		gone = append(gone, name)
	}
	if stage == "createContainer" && len(kept) == 0 {
		kept = []string{plainPath}
	}
	if slices.Equal(kept, h.Env) {
		return nil
	}
	h.Env = kept
	reason := "a hook runs as the host's root, and variables of the request can have it run other code; hooks.env lists what it may have"
	if len(gone) == 0 {
		reason = "a hook without an environment has the container's with some low-level runtimes, and runs as the host's root"
	}
	after := names(kept)
	if slices.Equal(kept, []string{plainPath}) {
		after = "PATH, a fixed one"
	}
	return []control.Change{{Field: field + ".env", Before: strings.Join(gone, " "), After: after, Reason: reason}}
}

// names are the variables without their values, which may be secret.
func names(env []string) string {
	var all []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		all = append(all, name)
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, " ")
}

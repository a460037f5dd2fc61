package hooks

import (
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/engine"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

const (
	reasonLinked  = "its path is a link of procfs, and by the time it runs the pid may be another process's"
	reasonTimeout = "with its timeout it would be killed before it has done anything"
)

// unlisted are the arguments of a hook that the profile does not list. Its own
// name is no argument; another one is, of which a program may make another of
// its parts.
func (c hooks) unlisted(h specs.Hook, file host.HookFile) []string {
	var all []string
	for i, arg := range h.Args {
		own := i == 0 && slices.Contains([]string{h.Path, filepath.Base(h.Path), file.Resolved, filepath.Base(file.Resolved)}, arg)
		known := c.profile.Hooks.Args
		if i == 0 { // "*" is any argument, and no other name
			known = slices.DeleteFunc(slices.Clone(known), func(e string) bool { return e == "*" })
		}
		if own || policy.Lists(known, arg) || slices.Contains(all, arg) {
			continue
		}
		all = append(all, arg)
	}
	return all
}

// docker knows the command line of Docker's network hook: it connects this very
// container, and no other's network moves here (moby,
// libnetwork/sandbox_externalkey_unix.go). The network of a step of a build has an
// id of its own (moby, builder-next/executor_linux.go), which is no container's.
func (c hooks) docker(args []string) bool {
	const hex = "0123456789abcdef"
	return len(args) == 4 && args[0] == dockerArg && strings.HasPrefix(args[1], "-exec-root=/") && (args[2] == c.id || c.id == "" || engine.StepID(c.id) && engine.StepID(args[2])) &&
		args[3] != "" && strings.Trim(args[3], hex) == ""
}

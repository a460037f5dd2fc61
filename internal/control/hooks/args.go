package hooks

import (
	"path/filepath"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
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
		if own || listed(known, arg) || slices.Contains(all, arg) {
			continue
		}
		all = append(all, arg)
	}
	return all
}

// listed reports whether a list has the text. An entry that ends in * is a
// prefix.
func listed(all []string, text string) bool {
	return slices.ContainsFunc(all, func(e string) bool {
		prefix, wild := strings.CutSuffix(e, "*")
		return e == text || wild && strings.HasPrefix(text, prefix)
	})
}

// docker knows the command line of Docker's network hook: it connects this very
// container, and no other's network moves here (moby,
// libnetwork/sandbox_externalkey_unix.go).
func (c hooks) docker(args []string) bool {
	const hex = "0123456789abcdef"
	return len(args) == 4 && args[0] == dockerArg && strings.HasPrefix(args[1], "-exec-root=/") && (args[2] == c.id || c.id == "") &&
		args[3] != "" && strings.Trim(args[3], hex) == ""
}

// Package straight hands `state` and `kill` over to the low-level runtime before
// the rest of the program is set up: engines ask for both often, nothing in them
// is held to the policy, and setting up what the doors need takes longer than
// all that they do.
//
// Guarantees: it hands over only where internal/door would, to the same program
// with the same arguments. It reads what internal/door reads and asks as much of
// it: a policy file, a state directory and a record that are root's alone. It
// stores nothing, so nothing of it can be out of date. It leaves to internal/door
// whatever it does not know for certain, and whatever fails.
// Does not cover: users other than root, and root in a user namespace.
// Requires: to be imported by cmd/hatchdog alone. The packages that it imports are
// set up before it (Go's specification, Package initialization), so it may import
// none whose set-up is work.
// Spec fields touched: none.
package straight

import (
	"os"
	"syscall"
)

//nolint:gochecknoinits // see above: main comes too late
func init() {
	if path, ok := runtimeOf(os.Args, os.Getenv); ok {
		// It returns only when it could not; then internal/door tries, and says why.
		_ = syscall.Exec(path, append([]string{path}, os.Args[1:]...), environ(path, os.Environ()))
	}
}

// runtimeOf is the low-level runtime that created the container that the command
// line is about.
func runtimeOf(args []string, getenv func(string) string) (string, bool) {
	root, id, ok := command(args)
	if !ok || !isRoot() || !plainDirs(root) {
		return "", false
	}
	base, ok := stateDir(getenv)
	if !ok || !ours(base) {
		return "", false
	}
	return recorded(base, root, id)
}

// command reads the command line where it has only flags that engines write.
func command(args []string) (root, id string, ok bool) {
	i := 1
	for ; i < len(args) && len(args[i]) > 0 && args[i][0] == '-'; i++ {
		name, value, inline := cut(args[i], '=')
		switch name {
		case "--systemd-cgroup":
			if inline {
				return "", "", false
			}
			continue
		case "--root", "--log", "--log-format":
		default:
			return "", "", false
		}
		if !inline {
			if i++; i == len(args) {
				return "", "", false
			}
			value = args[i]
		}
		if name == "--root" {
			root = value
		}
	}
	if i+1 >= len(args) {
		return "", "", false
	}
	verb, words := args[i], args[i+1:]
	if verb == "kill" && (words[0] == "--all" || words[0] == "-a") {
		words = words[1:]
	}
	switch {
	case verb == "state" && len(words) == 1:
	case verb == "kill" && (len(words) == 1 || len(words) == 2):
	default:
		return "", "", false
	}
	return root, words[0], isID(words[0]) && words[len(words)-1] != "" && words[len(words)-1][0] != '-'
}

// isID takes the ids that decision.CheckID takes, and of those none that begins as
// a flag does.
func isID(id string) bool {
	if id == "" || id == "." || id == ".." || len(id) > 255 || id[0] == '-' {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// environ is lowlevel.Environ.
func environ(path string, env []string) []string {
	const name = "GOMAXPROCS="
	if begins(base(path), "crun") {
		return env
	}
	for _, v := range env {
		if begins(v, name) {
			return env
		}
	}
	return append(env, name+"1")
}

// Package argv reads the low-level runtime's command line as runc reads it.
//
// Guarantees: the verb, the bundle and the id that it reports are those that runc
// acts on: the global flags come first, the first word that is not one is the verb,
// and the flags of a verb may stand before or behind its operands (except for exec,
// whose command has flags of its own). A command line that could be read in two
// ways is an error. The functions that rewrite return a new command line.
// Does not cover: flags that the low-level runtime has and hatchdog does not know;
// they are errors.
// Requires: nothing. It reads no file, and no environment but what it is handed.
// Spec fields touched: none.
package argv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/plain"
)

// Door says which of the pipelines a command line goes through.
type Door int

// The doors. None is a command that goes to the low-level runtime untouched.
const (
	None Door = iota
	Create
	Run
	Restore
	Start
	Exec
	Update
	Delete
	// Unheld is a door of crun's that hatchdog does not hold.
	Unheld
)

// Global holds runc's global flags.
type Global struct {
	Root          string // never empty: runc's default where none is given
	CgroupManager string // crun's
	Log           string
	LogFormat     string // "text" where none is given
	Rootless      string
	SystemdCgroup bool
	Debug         bool
	Help          bool
	Version       bool
}

// Call is a command line that has been read.
type Call struct {
	Argv   []string // as it came
	Global Global
	Verb   string // "" where there is none
	Door   Door
	ID     string // the container, where the verb has one
	Bundle string // "" is the working directory
	// Operands of exec: the id, then the words of the command.
	Operands []string

	flags   []flagAt
	verb    int    // index of the verb in Argv
	oneDash string // of the global flags
}

// Errors of Parse.
var (
	ErrFlag     = errors.New("flag cannot be read")
	ErrOperands = errors.New("wrong number of operands")
)

// Parse reads args, whose first element is the program's name. ownDir says
// whether runc keeps its state in XDG_RUNTIME_DIR, where there is one: without
// root, or as the root of a user namespace (its rootless_linux.go).
//
// A call with an error is still returned as far as it was read, so that the
// error can be told on the engine's log.
func Parse(args []string, ownDir func() bool, getenv func(string) string) (*Call, error) {
	c := &Call{Argv: args, Global: Global{Root: defaultRoot(ownDir, getenv), LogFormat: "text", Rootless: "auto"}}
	if at, err := c.parseGlobal(); err != nil {
		c.findLog(at)
		return c, err
	}
	if c.Verb == "" || c.Global.Help || c.Global.Version {
		return c, nil
	}
	v, ok := verbOf(c.Verb)
	if !ok {
		return c, nil
	}
	if c.Door = v.door; c.Door == Unheld {
		return c, nil
	}
	if err := c.parseVerb(v); err != nil {
		if v.door == None {
			return c, nil // the low-level runtime says what is wrong with it
		}
		return c, fmt.Errorf("%s: %w", c.Verb, err)
	}
	if c.Door != None && c.Global.CgroupManager == "disabled" {
		return c, fmt.Errorf("%w: --cgroup-manager=disabled: nothing would hold the container's limits", ErrFlag)
	}
	return c, nil
}

// Instead is the command line with another command and its arguments behind the
// same global flags.
func (c *Call) Instead(command ...string) []string {
	return append(slices.Clone(c.Argv[:c.verb]), command...)
}

// OneDash is the first flag of hatchdog's or the verb's that has one dash and
// more than one letter, or "". runc takes it for a long one, crun for letters
// of which each is a flag.
func (c *Call) OneDash() string {
	for _, f := range c.flags {
		if arg := c.Argv[f.at]; len(arg) > 2 && arg[1] != '-' {
			return arg
		}
	}
	return c.oneDash
}

// defaultRoot is runc's own rule (main.go).
func defaultRoot(ownDir func() bool, getenv func(string) string) string {
	if xdg := getenv("XDG_RUNTIME_DIR"); xdg != "" && ownDir() {
		return xdg + "/runc"
	}
	return "/run/runc"
}

// findLog looks for the engine's log behind a flag that cannot be read: Docker
// puts its runtimeArgs before the flags of containerd. It does not look behind a
// word that may be the verb, where the words are the container's.
func (c *Call) findLog(from int) {
	known := globalFlags()
	for i := from; i < len(c.Argv); i++ {
		arg := c.Argv[i]
		if arg == "--" || isVerb(arg) {
			return
		}
		if len(arg) < 2 || arg[0] != '-' {
			continue
		}
		name, value, inline := splitFlag(arg)
		if known.kind(name) == valued && !inline {
			if i++; i == len(c.Argv) {
				return
			}
			value = c.Argv[i]
		}
		if name == "log" || name == "log-format" {
			_ = c.setGlobal(name, value, true) // neither is a boolean
		}
	}
}

// parseGlobal reads up to the verb. With an error comes where to look on.
func (c *Call) parseGlobal() (int, error) {
	known := globalFlags()
	for i := 1; i < len(c.Argv); i++ {
		arg := c.Argv[i]
		if arg == "--" {
			i++
			if i < len(c.Argv) {
				c.Verb, c.verb = c.Argv[i], i
			}
			return 0, nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			c.Verb, c.verb = arg, i
			return 0, nil
		}
		name, value, inline := splitFlag(arg)
		kind := known.kind(name)
		if kind == unknown && known.abbreviated(name) {
			return i + 1, fmt.Errorf("%w: --%s is cut short, and low-level runtimes differ in what they take it for; write the whole name", ErrFlag, shown(name))
		}
		if c.oneDash == "" && len(arg) > 2 && arg[1] != '-' {
			c.oneDash = arg
		}
		if kind == unknown && !inline {
			return i + 1, unknownGlobal(known, name)
		}
		if kind == valued && !inline {
			if i++; i == len(c.Argv) {
				return i, fmt.Errorf("%w: --%s needs a value", ErrFlag, name)
			}
			value = c.Argv[i]
		}
		if err := c.setGlobal(name, value, inline); err != nil {
			return i + 1, err
		}
	}
	return 0, nil
}

// unknownGlobal says what can be done about a flag that may or may not have a
// value behind it.
func unknownGlobal(known flags, name string) error {
	flag, value, _ := strings.Cut(name, " ")
	if value = strings.TrimSpace(value); value != "" && known.kind(flag) == valued {
		return fmt.Errorf("%w: %q is one word; write --%s=%s, or make two words of it", ErrFlag, shown("--"+name), flag, shown(value))
	}
	return fmt.Errorf("%w: global flag %q is not one of runc's or crun's, so where the command begins is not certain; take it out (Docker: runtimeArgs in daemon.json)",
		ErrFlag, shown("--"+name))
}

// shown is as much of an argument as a message shows.
func shown(arg string) string { return plain.Cut(plain.Line(arg), 128) }

func (c *Call) setGlobal(name, value string, inline bool) error {
	g := &c.Global
	switch name {
	case "root":
		g.Root = value
	case "log":
		g.Log = value
	case "log-format":
		g.LogFormat = value
	case "rootless":
		g.Rootless = value
	case "cgroup-manager":
		g.CgroupManager = value
	case "debug", "systemd-cgroup", "help", "h", "version", "v":
		on, err := boolValue(value, inline)
		if err != nil {
			return fmt.Errorf("%w: --%s: %w; write --%s, --%s=true or --%s=false", ErrFlag, name, err, name, name, name)
		}
		switch name {
		case "debug":
			g.Debug = on
		case "systemd-cgroup":
			g.SystemdCgroup = on
		case "help", "h":
			g.Help = on
		default:
			g.Version = on
		}
	}
	return nil
}

// splitFlag takes a flag with one dash or two apart.
func splitFlag(arg string) (name, value string, inline bool) {
	arg = strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return strings.Cut(arg, "=")
}

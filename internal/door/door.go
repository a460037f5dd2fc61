// Package door holds the steps of each of the low-level runtime's commands: create,
// run and restore (config.json), start (the network), exec (the process file and
// its flags), update (flags, file, standard input) and delete. Every other command
// goes to the low-level runtime untouched.
//
// Guarantees: the low-level runtime is reached in one way only, with a document
// that the guard has passed and that the record and the audit log know; it is not
// started in enforce mode after any error before that; everything that was taken
// is given back. The steps between reading and writing are pure and are shared
// with `hatchctl check` (DryRun).
// Does not cover: a user who may write to the bundle, call another runtime or
// rewrite the policy: that user is root.
// Requires: a low-level runtime (package lowlevel).
// Spec fields touched: those of the controls and of package effects.
package door

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// World is what a call can reach. Except for Step, the zero value of no field is used.
type World struct {
	Getenv  func(string) string
	Environ []string
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
	Now     func() time.Time
	Euid    int         // in our own user namespace, as the low-level runtime sees it
	UserNS  func() bool // whether root is that of a user namespace
	Version string
	// Step is called at each place between the steps of a call where a test fails,
	// dies or changes the host; an error of it is the call's. nil is none.
	Step func(name string) error
}

func (w World) at(step string) error {
	if w.Step == nil {
		return nil
	}
	return w.Step(step)
}

// Process is the World of this process.
func Process(version string) World {
	return World{
		Getenv: os.Getenv, Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Now: time.Now, Euid: os.Geteuid(), UserNS: host.InUserNamespace, Version: version, Step: step,
	}
}

// Main handles one call. On success it does not return where the low-level
// runtime takes over by execve. It returns the exit code otherwise.
func (w World) Main(args []string) int {
	if len(args) == 2 && args[1] == resolver.Verb {
		return resolver.Run()
	}
	if len(args) == hookArgs && args[1] == host.HookVerb {
		return w.hook(args[2])
	}
	call, err := argv.Parse(args, w.ownDir, w.Getenv)
	if err == nil && call.Door == argv.Unheld {
		err = fmt.Errorf("%s: %w", call.Verb, errUnknownDoor)
	}
	if err != nil {
		return w.fail(call, w.unread(call, err))
	}
	switch call.Door {
	case argv.Create, argv.Run, argv.Restore:
		// A private mount namespace belongs to one thread, and execve must be
		// called on it.
		runtime.LockOSThread()
		err = w.create(call)
	case argv.Start:
		err = w.start(call)
	case argv.Exec:
		err = w.exec(call)
	case argv.Update:
		err = w.update(call)
	case argv.Delete:
		return w.delete(call)
	case argv.None:
		return w.forward(call)
	default:
		err = fmt.Errorf("%s: %w", call.Verb, errUnknownDoor)
	}
	return w.fail(call, err)
}

// ownDir is runc's own rule on where its state is (rootless_linux.go).
func (w World) ownDir() bool {
	return w.Euid != 0 || w.UserNS() && w.Getenv("USER") != "root"
}

var errUnknownDoor = errors.New("a command that hatchdog does not know how to hold")

// fail tells the engine why, in one line of the log that it reads and on
// standard error, as runc does.
func (w World) fail(call *argv.Call, err error) int {
	msg := oneLine(err, call)
	if call != nil && call.Global.Log != "" && (w.Euid != 0 || steadyName(call.Global.Log) || w.UserNS()) {
		if rerr := lowlevel.Report(call.Global.Log, call.Global.LogFormat, msg, w.Now()); rerr != nil {
			msg += " (and the log could not be written: " + rerr.Error() + ")"
		}
	}
	fmt.Fprintln(w.Stderr, msg)
	if errors.Is(err, errGone) && call.Door == argv.Exec {
		return goneCode
	}
	return 1
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/hatchdog/hatchdog/internal/install"
)

// comeBack is how long an engine may take to answer after a restart.
const comeBack = 30 * time.Second

var errNotBack = errors.New("the engine did not come back")

// tellRelease says in a line that the engine is of a release that hatchdog was not
// tried with.
func (f *installFlags) tellRelease(w io.Writer) {
	c := f.engine.Config()
	version := install.VersionOf(c, f.place)
	if other := c.Tried.Other(version); other != "" {
		fmt.Fprintf(w, "%s %s is %s: it is told of hatchdog all the same\n", c.Name, version, other)
	}
}

// settle asks the engine whether it takes its configuration, and restarts it
// where that was asked for.
func (f *installFlags) settle(w io.Writer) error {
	var want *install.Options
	if f.installing {
		want = &f.options
	}
	if err := f.engine.Validate(f.place, want); err != nil {
		return err
	}
	if !f.restart {
		return nil
	}
	f.restarted = true
	if err := shell(f.restartCommand()); err != nil {
		return err
	}
	for end := time.Now().Add(comeBack); ; time.Sleep(500 * time.Millisecond) {
		err := shell(f.aliveCommand())
		if err == nil {
			fmt.Fprintf(w, "%s is back\n", f.engine.Config().Name)
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%w within %s: %w", errNotBack, comeBack, err)
		}
	}
}

// rollBack gives the files back, and the engine, if it was restarted.
func (f *installFlags) rollBack(w io.Writer, undo func() error) error {
	fmt.Fprintln(w, "rolling back")
	err := undo()
	if f.restarted {
		err = errors.Join(err, shell(f.restartCommand()))
	}
	return err
}

func (f *installFlags) restartCommand() string {
	return cmp.Or(f.restartWith, f.engine.Restart(f.place))
}

func (f *installFlags) aliveCommand() string {
	return cmp.Or(f.aliveWith, f.engine.Alive(f.place))
}

func shell(command string) error {
	out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, install.LastLine(string(out)))
	}
	return nil
}

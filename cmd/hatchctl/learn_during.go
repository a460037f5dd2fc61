package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"runtime"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// learnDuring records what appears while a command runs.
func (o *options) learnDuring(cmd *cobra.Command, name string, log bool, command []string) error {
	code, err := o.recordDuring(cmd, name, sought{pick: everyone, fresh: true, log: log}, command)
	if err != nil {
		return err
	}
	if err := o.learnedLine(cmd.ErrOrStderr(), name); err != nil || code == 0 {
		return err
	}
	return exitError(code)
}

func everyone(workload.Workload) bool { return true }

// recordDuring gives the exit code of the command.
func (o *options) recordDuring(cmd *cobra.Command, name string, s sought, command []string) (int, error) {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM)
	defer stop()
	interrupts := make(chan os.Signal, 1) // the command has them too, and ends
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	ctx, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan error, 1)
	err := o.record(ctx, name, s, func() {
		go func() {
			c := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // it is what the operator asks for
			c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
			ended <- c.Run()
			end()
		}()
	})
	if err != nil {
		return 0, err
	}
	err = <-ended
	var exited *exec.ExitError
	if errors.As(err, &exited) && exited.ExitCode() > 0 {
		return exited.ExitCode(), nil
	}
	return 0, err
}

// learnedProfile is the profile of a recording.
func learnedProfile(d *learning.Data, name string, grant []string) (*learning.Profile, learning.Wish, error) {
	if d.Runs == 0 {
		return nil, learning.Wish{}, fmt.Errorf("%s: %w", name, errNoRuns)
	}
	if len(d.Calls) == 0 {
		return nil, learning.Wish{}, fmt.Errorf("%s: %w", name, errNoCalls)
	}
	native, err := seccomp.Native(runtime.GOARCH)
	if err != nil {
		return nil, learning.Wish{}, err
	}
	w := learning.Wish{Name: learning.NameFor(path.Base(strings.TrimSuffix(name, ".json"))), Native: native, Grant: grant}
	p, err := d.Write(w)
	return p, w, err
}

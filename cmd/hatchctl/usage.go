package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// exitUsage is that of a command line that is not understood (sysexits.h,
// EX_USAGE).
const exitUsage = 64

var errUsage = errors.New("usage")

// usageError is a command line that is not understood. Its message is one
// line, with the command's own usage behind it.
func usageError(cmd *cobra.Command, format string, args ...any) error {
	return fmt.Errorf("%s; %w: %s (see %s --help)", fmt.Sprintf(format, args...), errUsage, cmd.UseLine(), cmd.CommandPath())
}

// between takes from least to most arguments.
func between(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError(cmd, "an argument is missing")
		case len(args) > most:
			return usageError(cmd, "unexpected argument %q", args[most])
		}
		return nil
	}
}

// grouped adds commands below a title of the help.
func grouped(root *cobra.Command, title string, below ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title + ":"})
	for _, cmd := range below {
		cmd.GroupID = title
	}
	root.AddCommand(below...)
}

// group makes cmd one that has only commands below it: without one it prints
// its help, and one that is not known is an error with the nearest name.
func group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(below...)
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		cmd.SuggestionsMinimumDistance = 2
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return usageError(cmd, "unknown command %q, did you mean %q?", args[0], strings.Join(near, `" or "`))
		}
		return usageError(cmd, "unknown command %q", args[0])
	}
	return cmd
}

package main

import (
	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/door"
)

func refreshCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "refresh CONTAINER",
		Short: "Make a running container and 'docker cp' see each other's new files",
		Long: `Make a running container and 'docker cp' see each other's new files.

A container with a user namespace has a mount of its own of its root file system. A
process that has looked at a directory before may not see a file that 'docker cp'
writes there while the container runs, and 'docker cp' out of it may copy a file that
is no longer there. An exec refreshes the container first. Volumes need no refresh. A
file that a process has open stays as it was until it is closed: refresh then.

` + nameHelp,
		Example: `  docker cp index.html web:/srv/www/ && hatchctl refresh web`,
		Args:    between(1, 1),

		ValidArgsFunction: o.completeNames,
		RunE: func(_ *cobra.Command, args []string) error {
			e, err := o.one(args[0])
			if err != nil {
				return err
			}
			return door.Refresh(e.Record)
		},
	}
}

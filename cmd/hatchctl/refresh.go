package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/door"
)

var errManyContainers = errors.New("the id names more than one container")

func refreshCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "refresh ID",
		Short: "Let a container see what its engine wrote to its files, and the engine what it wrote",
		Long: `Let a container see what its engine wrote to its files, and the engine what it wrote.

A container with a user namespace has a mount of its own of its root file system.
What 'docker cp' writes into it while it runs, a process that has looked at the
same directory before may not see, and 'docker cp' out of it may copy what is no
longer there. An exec refreshes the container first. Volumes are not concerned.`,
		Example: `  docker cp index.html web:/srv/www/ && hatchctl refresh web-id`,
		Args:    between(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			entries, err := o.store().Find(args[0])
			if err != nil {
				return err
			}
			switch {
			case len(entries) == 0:
				return fmt.Errorf("no container %q runs under hatchdog; 'hatchctl list' shows those that do", args[0])
			case len(entries) > 1:
				return fmt.Errorf("%q: %w", args[0], errManyContainers)
			case entries[0].Record == nil:
				return entries[0].Err
			}
			return door.Refresh(entries[0].Record)
		},
	}
}

package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/freeze"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// act is a command that does one thing to one container.
func (o *options) act(name, short, long, example string, do func(*cobra.Command, string) error) *cobra.Command {
	return &cobra.Command{
		Use: name + " CONTAINER", Short: short, Long: long + "\n\n" + nameHelp, Example: example,
		Args: between(1, 1), ValidArgsFunction: o.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error { return do(cmd, args[0]) },
	}
}

func freezeCommand(o *options) *cobra.Command {
	return o.act("freeze", "Stop all processes of a container where they are",
		"Stop all processes of a container where they are, with all that they have, until\n'hatchctl thaw'. Health checks of a frozen container fail: an orchestrator may kill\nit. A frozen container cannot be deleted before it is thawed on control groups of\nversion 1.",
		"  hatchctl freeze web", func(cmd *cobra.Command, name string) error {
			f, err := o.freezer(name)
			if err != nil {
				return err
			}
			began := time.Now()
			if err := f.Freeze(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is frozen, after %s\n", harmless(name), time.Since(began).Round(time.Millisecond))
			return nil
		})
}

func thawCommand(o *options) *cobra.Command {
	return o.act("thaw", "Let the processes of a frozen container go on",
		"Let the processes of a frozen container go on.",
		"  hatchctl thaw web", func(cmd *cobra.Command, name string) error {
			f, err := o.freezer(name)
			if err != nil {
				return err
			}
			if err := f.Thaw(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s goes on\n", harmless(name))
			return nil
		})
}

// freezer is that of a container that runs.
func (o *options) freezer(name string) (*freeze.Freezer, error) {
	e, err := o.one(name)
	if err != nil {
		return nil, err
	}
	given, err := lowlevel.FindGiven(e.Root, e.ID)
	if err != nil {
		return nil, err
	}
	return freeze.Of(given.Cgroups)
}

func isolateCommand(o *options) *cobra.Command {
	var allow []string
	cmd := o.act("isolate", "Cut a container off the network, open connections among it",
		`Cut a container off the network: every packet is dropped, also of connections that
are open, except for loopback and for what --allow lists. The rules are in a table of
their own in the container's network (inet hatchdog-isolated); those of its profile
stay. Containers of one pod, or of one network namespace, are cut off together. A
container with CAP_NET_ADMIN over its network could take the rules away.`,
		"  hatchctl isolate web\n  hatchctl isolate web --allow 10.0.0.5:443/tcp", nil)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		fd, err := o.ownNetwork(args[0])
		if err != nil {
			return err
		}
		defer firewall.Close(fd)
		facts, err := firewall.Resolve(fd, "")
		if err != nil {
			return err
		}
		if err := firewall.Isolate(fd, allow, facts); err != nil {
			return err
		}
		but := "loopback"
		if len(allow) > 0 {
			but += ", " + strings.Join(allow, ", ")
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is cut off, except for %s\n", harmless(args[0]), harmless(but))
		return nil
	}
	cmd.Flags().StringSliceVar(&allow, "allow", nil, "what it may still reach, as egress.allow of a profile has it")
	return cmd
}

func rejoinCommand(o *options) *cobra.Command {
	return o.act("rejoin", "Give a container its network back after 'isolate'",
		"Give a container its network back after 'hatchctl isolate'. The rules of its profile\nare as they were.",
		"  hatchctl rejoin web", func(cmd *cobra.Command, name string) error {
			fd, err := o.ownNetwork(name)
			if err != nil {
				return err
			}
			defer firewall.Close(fd)
			if err := firewall.Rejoin(fd); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s has its network back\n", harmless(name))
			return nil
		})
}

var errHostNetwork = errors.New("it shares the host's network: cutting it off would cut the host off")

// ownNetwork opens the network namespace of a container that has one of its own.
func (o *options) ownNetwork(name string) (int, error) {
	e, err := o.one(name)
	if err != nil {
		return -1, err
	}
	first, err := lowlevel.FindInit(e.Root, e.ID)
	if err != nil {
		return -1, err
	}
	if !first.Alive() {
		return -1, fmt.Errorf("%s: %w", name, errNotRunning)
	}
	fd, err := firewall.Open(fmt.Sprintf("/proc/%d/ns/net", first.Pid), host.FileID{})
	if errors.Is(err, firewall.ErrHost) {
		return -1, errHostNetwork
	}
	if err == nil && !first.Alive() {
		firewall.Close(fd)
		return -1, fmt.Errorf("%s: %w", name, errNotRunning)
	}
	return fd, err
}

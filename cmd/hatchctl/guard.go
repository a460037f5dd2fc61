package main

import (
	"fmt"

	"github.com/spf13/cobra"

	pins "github.com/hatchdog/hatchdog/internal/effects/prevent"
	"github.com/hatchdog/hatchdog/internal/prevent"
)

func guardCommand(o *options) *cobra.Command {
	return group(&cobra.Command{
		Use: "guard", Short: "Load, unload and see the kernel's guard, which holds containers while they run",
		Example: "  hatchctl guard load\n  hatchctl guard status",
		Long: `Load, unload and see the kernel's guard, which holds containers while they run.

It is a set of programs at the hooks of the kernel's security modules (BPF LSM). A
container whose profile has prevent.deny is entered into its map at its start, and
taken out when its control group goes. No process of hatchdog's runs meanwhile.`,
	}, guardLoad(), guardUnload(), guardStatus(o))
}

func guardLoad() *cobra.Command {
	return &cobra.Command{
		Use: "load", Short: "Load the programs, in the place of those that are there", Example: "  hatchctl guard load",
		Long: `Load the programs, in the place of those that are there.

Containers that the guard holds stay held. Those that started before it was loaded are
not held. hatchdog-guard.service loads it at boot.

It needs root, bpf among the kernel's security modules (lsm= on its command line), BTF,
and control groups of version 2.`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := prevent.New().Load(); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the kernel's guard is loaded")
			return err
		},
	}
}

func guardUnload() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "unload", Short: "Unload the programs", Example: "  hatchctl guard unload",
		Long: `Unload the programs.

A container that they hold runs on, and is denied nothing by them any more: while there
is one they stay, unless --force is given.`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			g := prevent.New()
			if n, err := g.Held(); err == nil && n > 0 && !force {
				return fmt.Errorf("it holds %d containers, which would run on without it: stop them, or give --force", n)
			}
			if err := g.Unload(); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "the kernel's guard is unloaded")
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "unload it while it holds containers too")
	return cmd
}

// guardState is what guard status says.
type guardState struct {
	Loaded bool   `json:"loaded"`
	Why    string `json:"why,omitempty"` // it is not
	Held   int    `json:"held"`
	// Watch is what hatchctl watch holds where there is no guard.
	Watch watchState `json:"watch"`
}

type watchState struct {
	Runs bool   `json:"runs"`
	Why  string `json:"why,omitempty"` // it holds none
	Held int    `json:"held"`
}

func guardStatus(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say whether the programs are all there, and how many containers they hold", Example: "  hatchctl guard status --json",
		Long: `Say whether the programs are all there, and how many containers they hold; and how
many hatchctl watch holds to drift, which it does while it runs, where the kernel has no guard.

Exit code 0: they are. 1: they are not.`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := o.readGuard()
			var err error
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), s)
			} else {
				_, err = fmt.Fprint(cmd.OutOrStdout(), s.String())
			}
			if err == nil && !s.Loaded {
				return exitError(1)
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (s guardState) String() string {
	said := s.Why + "\n"
	if s.Loaded {
		said = fmt.Sprintf("loaded; it holds %d containers\n", s.Held)
	}
	if s.Watch.Runs {
		return said + fmt.Sprintf("hatchctl watch runs; it holds %d containers to drift, until it ends\n", s.Watch.Held)
	}
	return said + harmless(s.Watch.Why) + "\n"
}

func (o *options) readGuard() guardState {
	var s guardState
	if n, err := pins.WatchHolds(o.store().Base); err == nil {
		s.Watch = watchState{Runs: true, Held: n}
	} else {
		s.Watch.Why = err.Error()
	}
	err := pins.New().Loaded(pins.All)
	if err == nil {
		s.Held, err = prevent.New().Held()
	}
	if err != nil {
		s.Why = err.Error()
		return s
	}
	s.Loaded = true
	return s
}

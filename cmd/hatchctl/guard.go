package main

import (
	"fmt"

	"github.com/spf13/cobra"

	pins "github.com/hatchdog/hatchdog/internal/effects/prevent"
	"github.com/hatchdog/hatchdog/internal/prevent"
)

func guardCommand(*options) *cobra.Command {
	return group(&cobra.Command{
		Use: "guard", Short: "Load, unload and see the kernel's guard, which holds containers while they run",
		Example: "  hatchctl guard load\n  hatchctl guard status",
		Long: `Load, unload and see the kernel's guard, which holds containers while they run.

It is a set of programs at the hooks of the kernel's security modules (BPF LSM). A
container whose profile has prevent.deny is entered into its map at its start, and
taken out when its control group goes. No process of hatchdog's runs meanwhile.`,
	}, guardLoad(), guardUnload(), guardStatus())
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
}

func guardStatus() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Say whether the programs are all there, and how many containers they hold", Example: "  hatchctl guard status --json",
		Long: `Say whether the programs are all there, and how many containers they hold.

Exit code 0: they are. 1: they are not.`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := readGuard()
			var err error
			switch {
			case asJSON:
				err = printJSON(cmd.OutOrStdout(), s)
			case s.Loaded:
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "loaded; it holds %d containers\n", s.Held)
			default:
				_, err = fmt.Fprintln(cmd.OutOrStdout(), s.Why)
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

func readGuard() guardState {
	err := pins.New().Loaded(pins.All)
	if err != nil {
		return guardState{Why: err.Error()}
	}
	n, err := prevent.New().Held()
	if err != nil {
		return guardState{Why: err.Error()}
	}
	return guardState{Loaded: true, Held: n}
}

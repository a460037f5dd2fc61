package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	effects "github.com/hatchdog/hatchdog/internal/effects/apparmor"
	"github.com/hatchdog/hatchdog/internal/host"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// apparmorOptions are the flags of the apparmor commands.
type apparmorOptions struct {
	*options
	parser string
	root   string // of the kernel's file systems
}

var errNoApparmor = errors.New("this host has no AppArmor")

func apparmorCommand(o *options) *cobra.Command {
	a := &apparmorOptions{options: o}
	cmd := group(&cobra.Command{Use: "apparmor", Short: "Load, unload and see hatchdog's AppArmor profiles", Example: "  hatchctl apparmor status\n  hatchctl apparmor load"},
		a.loadCommand(), a.unloadCommand(), a.statusCommand(), a.showCommand())
	cmd.PersistentFlags().StringVar(&a.parser, "parser", "", "apparmor_parser (default: in the usual places, then on PATH)")
	cmd.PersistentFlags().StringVar(&a.root, "kernel-root", "/", "where /sys and /proc are")
	_ = cmd.PersistentFlags().MarkHidden("kernel-root") // it exists
	return cmd
}

func (a *apparmorOptions) loadCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "load [PROFILE...]",
		Short:   "Load the profiles in enforce mode; replace those of the same names",
		Example: "  hatchctl apparmor load",
		Long: `Load the profiles in enforce mode; replace those of the same names.

It loads all profiles if none is named. A container that runs under one is held to
its new text at once.`,
		Args: between(0, len(profiles.Names())),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(cmd.OutOrStdout(), args, "loaded", effects.Loader.Replace)
		},
	}
}

func (a *apparmorOptions) unloadCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "unload [PROFILE...]",
		Short:   "Unload the profiles from the kernel",
		Example: "  hatchctl apparmor unload hatchdog-untrusted",
		Long: `Unload the profiles from the kernel; all of them if none is named.

A process whose profile is unloaded runs on unconfined, so a profile in use stays
unless --force is given.`,
		Args: between(0, len(profiles.Names())),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.each(cmd.OutOrStdout(), args, "unloaded", func(l effects.Loader, name string) error {
				if host.ProbeApparmor(a.root, name).Modes[name] == "" {
					return nil
				}
				pids, err := host.Confined(a.root, name)
				if err != nil {
					return err
				}
				if len(pids) > 0 && !force {
					return fmt.Errorf("%d processes run under it, and would be unconfined (the first is %d)", len(pids), pids[0])
				}
				return l.Unload(name)
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "unload profiles in use too")
	return cmd
}

// each does one thing to each profile that is named, or to all.
func (a *apparmorOptions) each(w io.Writer, names []string, done string, do func(effects.Loader, string) error) error {
	if len(names) == 0 {
		names = profiles.Names()
	}
	for _, name := range names {
		if !profiles.Ours(name) {
			return fmt.Errorf("%q: %w", name, effects.ErrNotOurs)
		}
	}
	switch facts := host.ProbeApparmor(a.root); {
	case facts.Err != "":
		return errors.New(facts.Err)
	case !facts.Enabled:
		return errNoApparmor
	}
	loader, err := a.loader()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if err := do(loader, name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		fmt.Fprintf(w, "%s: %s\n", name, done)
	}
	return errors.Join(errs...)
}

func (a *apparmorOptions) loader() (effects.Loader, error) {
	parser := a.parser
	if parser == "" {
		found, err := effects.FindParser(os.Getenv)
		if err != nil {
			return effects.Loader{}, err
		}
		parser = found
	}
	l := effects.New(a.store().Base, parser)
	l.Root = a.root
	return l, nil
}

func (a *apparmorOptions) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "show PROFILE",
		Short:     "Print the text of a profile, as for /etc/apparmor.d",
		Example:   "  hatchctl apparmor show hatchdog-restricted",
		Args:      between(1, 1),
		ValidArgs: profiles.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := profiles.Text(args[0])
			if !ok {
				return fmt.Errorf("%q: %w", args[0], effects.ErrNotOurs)
			}
			_, err := fmt.Fprint(cmd.OutOrStdout(), text)
			return err
		},
	}
}

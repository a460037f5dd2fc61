package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	effects "github.com/hatchdog/hatchdog/internal/effects/apparmor"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

// apparmorRow is one profile in the status.
type apparmorRow struct {
	Profile   string `json:"profile"`
	Mode      string `json:"mode"` // as the kernel says; "not loaded"
	Processes int    `json:"processes"`
}

type apparmorStatus struct {
	Enabled  bool          `json:"enabled"`
	Parser   string        `json:"parser,omitempty"`
	Profiles []apparmorRow `json:"profiles,omitempty"`
}

func (a *apparmorOptions) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show which profiles are enforced, and how many processes run under each",
		Example: "  hatchctl apparmor status --json",
		Long: `Show which profiles are enforced, and how many processes run under each: those
that come with hatchdog, and those that the policy names.

Exit code 0: all are enforced. 1: one is not, or this host has no AppArmor. 3:
it could not be told.`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.status()
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), s)
			} else {
				err = printApparmor(cmd.OutOrStdout(), s)
			}
			if err != nil {
				return err
			}
			if !s.Enabled || slices.ContainsFunc(s.Profiles, func(r apparmorRow) bool { return r.Mode != "enforce" && r.Mode != "kill" }) {
				return exitError(1)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *apparmorOptions) status() (apparmorStatus, error) {
	names := profiles.Names()
	pol, err := a.policy()
	if err != nil {
		return apparmorStatus{}, err
	}
	for _, p := range pol.Profiles {
		if name := p.Apparmor.Profile; p.Apparmor.Require != policy.Never && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names[len(profiles.Names()):])
	facts := host.ProbeApparmor(a.root, names...)
	if facts.Err != "" {
		return apparmorStatus{}, errors.New(facts.Err)
	}
	s := apparmorStatus{Enabled: facts.Enabled}
	if !s.Enabled {
		return s, nil
	}
	if l, err := a.loader(); err == nil {
		s.Parser = l.Parser
	}
	for _, name := range names {
		row := apparmorRow{Profile: name, Mode: "not loaded"}
		if mode := facts.Modes[name]; mode != "" {
			row.Mode = mode
			pids, err := host.Confined(a.root, name)
			if err != nil {
				return s, err
			}
			row.Processes = len(pids)
		}
		s.Profiles = append(s.Profiles, row)
	}
	return s, nil
}

func printApparmor(w io.Writer, s apparmorStatus) error {
	if !s.Enabled {
		fmt.Fprintln(w, errNoApparmor)
		return nil
	}
	if s.Parser == "" {
		fmt.Fprintln(w, effects.ErrNoParser)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "PROFILE\tMODE\tPROCESSES")
	for _, r := range s.Profiles {
		fmt.Fprintf(tw, "%s\t%s\t%d\n", r.Profile, r.Mode, r.Processes)
	}
	return tw.Flush()
}

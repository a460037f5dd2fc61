package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// row is one container in the listing.
type row struct {
	ID       string `json:"id"`
	Name     string `json:"name,omitempty"` // of a pod's, NAMESPACE/POD/CONTAINER
	Image    string `json:"image,omitempty"`
	Root     string `json:"root"`
	Hardened bool   `json:"hardened"`
	State    string `json:"state"` // live, or gone where only the record is left
	Profile  string `json:"profile,omitempty"`
	Mode     string `json:"mode,omitempty"`
	Engine   string `json:"engine,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Runtime  string `json:"runtime,omitempty"`
	Changes  int    `json:"changes"`
}

func listCommand(o *options) *cobra.Command {
	var asJSON, needed bool
	var roots []string
	var runDir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the containers under hatchdog, and those that run without it",
		Long: `List the containers under hatchdog, and those that run without it.

It finds those without it in the state of runc and crun that Docker, containerd and
Podman keep below /run, and in the state that containerd keeps there for every
container, whatever its runtime (runsc, Kata). Name further roots of a low-level
runtime with --root, each by itself, or another folder than /run with --run-dir.

HARDENED is "yes" where hatchdog held the container to a profile, "complain" where
it only recorded what it would do, and "NO" where it was not asked.`,
		Example: `  hatchctl list
  hatchctl list --json
  hatchctl list --needed
  hatchctl list --root /run/user/1000/runc`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if needed {
				return o.printNeeded(cmd.OutOrStdout())
			}
			rows, err := o.rows(append(runtimeRoots(runDir), roots...), taskDirsBelow(runDir))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tNAME\tIMAGE\tHARDENED\tSTATE\tPROFILE\tENGINE\tRUNTIME\tCHANGES\tROOT")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", shortID(r.ID), orDash(harmless(r.Name)), orDash(harmless(r.Image)), hardened(r), r.State,
					orDash(r.Profile), orDash(r.Engine), orDash(r.Runtime), r.changes(), orDash(r.Root))
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&needed, "needed", false, "print only the ids of the containers that still need hatchdog, to be stopped and deleted")
	cmd.Flags().StringArrayVar(&roots, "root", nil, "another root directory of a low-level runtime")
	cmd.Flags().StringVar(&runDir, "run-dir", "/run", "where the engines keep their state")
	return cmd
}

// printNeeded is for those who would remove the program.
func (o *options) printNeeded(w io.Writer) error {
	entries, err := o.store().List()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Live {
			fmt.Fprintln(w, e.ID)
		}
	}
	return nil
}

// rows joins our records with what the low-level runtimes know.
func (o *options) rows(roots, taskDirs []string) ([]row, error) {
	entries, err := o.store().List()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, e := range entries {
		rows = append(rows, hardenedRow(e, o.who(e)))
		roots = append(roots, e.Root)
	}
	return append(rows, beside(roots, taskDirs, entries)...), nil
}

func hardenedRow(e decision.Entry, who workload.Workload) row {
	r := row{ID: e.ID, Name: who.Called(), Image: who.Image, Root: e.Root, State: "gone"}
	if e.Live {
		r.State = "live"
	}
	if e.Record == nil {
		return r
	}
	d := e.Record.Decision
	r.Hardened = d.Outcome == decision.Tightened || d.Outcome == decision.Unchanged
	r.Profile, r.Mode, r.Engine = d.Profile, string(d.Mode), d.Workload.Engine
	r.Runtime = strings.TrimSpace(d.Runtime.Name + " " + d.Runtime.Version)
	r.Outcome, r.Changes = string(d.Outcome), len(d.Changes)
	return r
}

func shortID(id string) string {
	const docker = 64 // the length of Docker's ids; the first 12 are what its users see
	if len(id) == docker {
		return id[:12]
	}
	return id
}

func hardened(r row) string {
	switch {
	case r.Hardened:
		return "yes"
	case r.Outcome == string(decision.Complained):
		return "complain"
	}
	return "NO"
}

// changes of a container that hatchdog never saw are not none.
func (r row) changes() string {
	if r.Outcome == "" {
		return "-"
	}
	return strconv.Itoa(r.Changes)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

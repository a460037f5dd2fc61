package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
)

// row is one container in the listing.
type row struct {
	ID       string `json:"id"`
	Root     string `json:"root"`
	Hardened bool   `json:"hardened"`
	State    string `json:"state"` // live, or gone where only the record is left
	Profile  string `json:"profile,omitempty"`
	Mode     string `json:"mode,omitempty"`
	Engine   string `json:"engine,omitempty"`
	Outcome  string `json:"outcome,omitempty"`
	Changes  int    `json:"changes"`
}

func listCommand(o *options) *cobra.Command {
	var asJSON bool
	var roots []string
	var runDir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the containers under hatchdog, and those that run beside it",
		Long: `List the containers under hatchdog, and those that run beside it.

Those beside it are found in the state of the low-level runtimes that Docker,
containerd and Podman keep below /run. An engine that keeps it elsewhere is
named with --root, once for each of its runtime roots.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := o.rows(append(runtimeRoots(runDir), roots...))
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "ID\tHARDENED\tSTATE\tPROFILE\tMODE\tENGINE\tCHANGES\tROOT")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", shortID(r.ID), yesNo(r.Hardened), r.State,
					orDash(r.Profile), orDash(r.Mode), orDash(r.Engine), r.Changes, r.Root)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringArrayVar(&roots, "root", nil, "another root directory of a low-level runtime")
	cmd.Flags().StringVar(&runDir, "run-dir", "/run", "where the engines keep their state")
	return cmd
}

// runtimeRoots names the runc roots of the engines below run: runc itself and
// Podman, Docker (one for each runtime name), containerd (one for each
// namespace, and for each runtime under CRI-O's layout).
func runtimeRoots(run string) []string {
	roots := []string{filepath.Join(run, "runc"), filepath.Join(run, "crun")}
	for _, pattern := range []string{"docker/runtime-*/*", "containerd/runc/*"} {
		found, err := filepath.Glob(filepath.Join(run, pattern))
		if err == nil { // only a malformed pattern is an error
			roots = append(roots, found...)
		}
	}
	return roots
}

// rows joins our records with what the low-level runtimes know.
func (o *options) rows(roots []string) ([]row, error) {
	entries, err := o.store().List()
	if err != nil {
		return nil, err
	}
	var rows []row
	known := map[string]bool{}
	for _, e := range entries {
		known[e.Root+"\x00"+e.ID] = true
		rows = append(rows, hardenedRow(e))
		roots = append(roots, e.Root)
	}
	for i, root := range roots {
		if real, err := decision.ResolveRoot(root); err == nil {
			roots[i] = real
		}
	}
	slices.Sort(roots)
	for _, root := range slices.Compact(roots) {
		ids, err := os.ReadDir(root)
		if err != nil {
			continue // this engine is not here
		}
		for _, id := range ids {
			if id.IsDir() && !known[root+"\x00"+id.Name()] && isContainer(root, id.Name()) {
				rows = append(rows, row{ID: id.Name(), Root: root, State: "live"})
			}
		}
	}
	return rows, nil
}

// isContainer tells a runtime's state from other folders: runc writes
// state.json, crun writes status.
func isContainer(root, id string) bool {
	for _, f := range []string{"state.json", "status"} {
		if _, err := os.Lstat(filepath.Join(root, id, f)); err == nil {
			return true
		}
	}
	return false
}

func hardenedRow(e decision.Entry) row {
	r := row{ID: e.ID, Root: e.Root, State: "gone"}
	if e.Live {
		r.State = "live"
	}
	if e.Record == nil {
		return r
	}
	d := e.Record.Decision
	r.Hardened = d.Outcome == decision.Tightened || d.Outcome == decision.Unchanged
	r.Profile, r.Mode, r.Engine = d.Profile, string(d.Mode), d.Workload.Engine
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

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "NO"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

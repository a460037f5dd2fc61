package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/door"
)

func idsCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "ids",
		Short:   "Show which ids of the host each container's user namespace has",
		Example: "  hatchctl ids\n  hatchctl ids --json",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.policy()
			if err != nil {
				return err
			}
			ranges, err := door.IDs(p)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), ranges)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
			fmt.Fprintln(w, "FIRST\tLAST\tCONTAINER\tROOT")
			for _, r := range ranges {
				if len(r.Holders) == 0 {
					fmt.Fprintf(w, "%d\t%d\t%s\t%s\n", r.Base, r.Base+r.Size-1, "?", "processes without a record")
				}
				for _, h := range r.Holders {
					fmt.Fprintf(w, "%d\t%d\t%s\t%s\n", r.Base, r.Base+r.Size-1, shortID(h.ID), h.Root)
				}
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/door"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/host"
)

// namedRange is a range with the names of those that hold it.
type namedRange struct {
	host.IDRange
	Holders []namedHolder `json:"holders"`
}

type namedHolder struct {
	idrange.Holder
	Name string `json:"name,omitempty"` // as list has it
}

func idsCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ids",
		Short: "Show which ids of the host each container's user namespace has",
		Long: `Show which ids of the host each container's user namespace has.

FIRST is the id of the container's root on the host. Containers that join each
other's namespaces have one range.`,
		Example: "  hatchctl ids\n  hatchctl ids --json",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ranges, err := o.ranges()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), ranges)
			}
			return printRanges(cmd.OutOrStdout(), ranges)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// ranges joins who holds ids with the names in the records.
func (o *options) ranges() ([]namedRange, error) {
	p, err := o.policy()
	if err != nil {
		return nil, err
	}
	held, err := door.IDs(p)
	if err != nil {
		return nil, err
	}
	records, err := o.store().List()
	if err != nil {
		return nil, err
	}
	names := map[[2]string]string{}
	for _, e := range records {
		names[[2]string{e.Root, e.ID}] = o.who(e).Called()
	}
	all := []namedRange{}
	for _, r := range held {
		named := namedRange{IDRange: r.IDRange, Holders: []namedHolder{}}
		for _, h := range r.Holders {
			named.Holders = append(named.Holders, namedHolder{h, names[[2]string{h.Root, h.ID}]})
		}
		all = append(all, named)
	}
	return all, nil
}

func printRanges(to io.Writer, ranges []namedRange) error {
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FIRST\tLAST\tID\tNAME\tROOT")
	for _, r := range ranges {
		last := r.Base + r.Size - 1
		if len(r.Holders) == 0 {
			fmt.Fprintf(w, "%d\t%d\t?\t-\tprocesses without a record\n", r.Base, last)
		}
		for _, h := range r.Holders {
			fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\n", r.Base, last, shortID(h.ID), harmless(h.Name), h.Root)
		}
	}
	return w.Flush()
}

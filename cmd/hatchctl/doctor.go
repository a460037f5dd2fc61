package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/doctor"
)

func doctorCommand(o *options) *cobra.Command {
	var asJSON, strict, boxes bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show what this host lacks, what follows from it, and what to do",
		Long: `Show what this host lacks for the built-in profiles, what follows from it for
containers, and what to do about it. With --sandbox it is asked for boxes of the user who
calls it (hatchctl run), and what they cannot have.

Exit code 0: containers run hardened. 1 (only with --strict): something could be
better. 2: containers are refused, or run without hatchdog.`,
		Example: "  hatchctl doctor\n  hatchctl doctor --json --strict\n  hatchctl doctor --sandbox",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var all []doctor.Finding
			if pol, err := o.policy(); boxes {
				all = o.sandboxFindings(&runFlags{})
			} else {
				all = doctor.Examine(doctor.Probe(pol, err, os.Getenv))
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), all); err != nil {
					return err
				}
			} else {
				printFindings(cmd.OutOrStdout(), all)
			}
			switch worst := doctor.Worst(all); {
			case worst == doctor.Fail:
				return exitError(2)
			case worst == doctor.Warn && strict:
				return exitError(1)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&boxes, "sandbox", false, "look at what the boxes of 'hatchctl run' need, for the user who calls")
	cmd.Flags().BoolVar(&strict, "strict", false, "exit with 1 where something could be better")
	return cmd
}

func printFindings(w io.Writer, all []doctor.Finding) {
	for _, f := range all {
		fmt.Fprintf(w, "%-5s %s: %s\n", f.Level, f.Check, f.Found)
		if f.Means != "" {
			fmt.Fprintf(w, "      %s\n", f.Means)
		}
		if f.Remedy != "" {
			fmt.Fprintf(w, "      do: %s\n", f.Remedy)
		}
	}
}

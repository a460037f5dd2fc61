package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/audit"
)

func auditCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read and verify the audit log"}
	var asJSON bool
	verify := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Verify the chain of the audit log and name the first line that was changed, removed or cut",
		Long: `Verify the chain of the audit log.

FILE is the current segment (default: the policy's audit.path); the segments
that were rotated away are read too. Exit code 0: whole. 1: not whole, and the
first bad line is named. The chain shows what was changed by somebody who could
not rewrite the log and its head file both; root can.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := o.auditFile(args)
			if err != nil {
				return err
			}
			report, err := audit.Verify(path)
			if err != nil {
				return err
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), report); err != nil {
					return err
				}
			} else {
				fmt.Fprintln(cmd.OutOrStdout(), report)
			}
			if !report.OK() {
				return exitError(1)
			}
			return nil
		},
	}
	verify.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(verify)
	return cmd
}

func (o *options) auditFile(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	return o.auditPath()
}

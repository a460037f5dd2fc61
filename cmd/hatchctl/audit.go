package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/audit"
)

func auditCommand(o *options) *cobra.Command {
	var asJSON bool
	verify := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Verify the audit log; name the first line that was changed, removed or cut",
		Long: `Verify the chain of the audit log.

FILE is the current segment (default: the policy's audit.path). It reads the
segments that were rotated away too. Exit code 0: the log is whole. 1: it is not,
and the first bad line is named. The chain shows a change by anybody who could not
rewrite both the log and its head file; root can.`,
		Example: `  hatchctl audit verify
  hatchctl audit verify --json /var/log/hatchdog/audit.jsonl`,
		Args: between(0, 1),
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
	return group(&cobra.Command{
		Use: "audit", Short: "Verify that nobody changed the audit log",
		Example: "  hatchctl audit verify",
	}, verify)
}

func (o *options) auditFile(args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	return o.auditPath()
}

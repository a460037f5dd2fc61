package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func policyCommand(o *options) *cobra.Command {
	return group(&cobra.Command{
		Use: "policy", Short: "Check, show, describe and suggest policies",
		Example: "  hatchctl policy check /etc/hatchdog/policy.yaml\n  hatchctl policy show",
	}, policyCheckCommand(), policyShowCommand(o), policySchemaCommand(), suggestCommand(o))
}

func policyCheckCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Show every error of a policy file, with line, column and a suggestion",
		Long: `Show every error of a policy file, with line, column and a suggestion.

It reads the file by itself, so it does not know profiles of other files of policy.d.
It does not look at the owner and the mode of the file: hatchdog checks these when it
reads its policy. It names each setting that weakens the policy, with the reason for
it (because:). Exit code 0: no errors. 1: there are some, or a reason is missing.`,
		Example: `  hatchctl policy check /etc/hatchdog/policy.yaml
  hatchctl policy check --json policy.yaml`,
		Args: between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			weak, err := policy.CheckWeak(args[0], data)
			var bad policy.Errors
			if err != nil && !errors.As(err, &bad) {
				return err
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), append([]policy.Error{}, bad...)); err != nil {
					return err
				}
			} else {
				for _, e := range bad {
					fmt.Fprintln(cmd.OutOrStdout(), e.Error())
				}
				printWeak(cmd.OutOrStdout(), weak)
			}
			if len(bad) > 0 || slices.ContainsFunc(weak, func(w policy.Weak) bool { return w.Because == "" }) {
				return exitError(1)
			}
			if !asJSON {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: no errors\n", args[0])
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printWeak names what weakens a policy, and why.
func printWeak(w io.Writer, all []policy.Weak) {
	for _, one := range all {
		because := "because " + one.Because
		if one.Because == "" {
			because = "no reason is given: write because: WHY beside it"
		}
		fmt.Fprintf(w, "%s: weakens: %s: %s; %s\n", harmless(one.Where), one.Setting, one.Means, harmless(because))
	}
}

func policyShowCommand(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the policy in force, with the place that set each value",
		Example: `  hatchctl policy show
  hatchctl --policy policy.yaml policy show --json`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := o.policy()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), p)
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), policy.Show(p))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func policySchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the policy file",
		Long: `Print the JSON Schema (2020-12) of the policy file, for editors that complete
and check while you type.`,
		Example: "  hatchctl policy schema > policy.schema.json",
		Args:    between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printJSON(cmd.OutOrStdout(), policy.Schema())
		},
	}
}

package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/door"
)

// The answers of check.
const (
	wouldChange = 1
	wouldRefuse = 2
)

func checkCommand(o *options) *cobra.Command {
	var format string
	var asJSON, asSARIF bool
	var v view
	cmd := &cobra.Command{
		Use:   "check BUNDLE|config.json",
		Short: "Show what hatchdog would change in a spec or refuse; start nothing",
		Long: `Show what hatchdog would change in a spec or refuse; start nothing.

Exit code 0: nothing would change. 1: it would be tightened. 2: it would be
refused. 3: it could not be judged.`,
		Example: `  hatchctl check ./bundle
  hatchctl check --json ./bundle/config.json
  hatchctl --policy policy.yaml check --sarif ./bundle > hatchdog.sarif`,
		Args: between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case asJSON && asSARIF || cmd.Flags().Changed("format") && (asJSON || asSARIF):
				return usageError(cmd, "one of --format, --json and --sarif, not several")
			case asJSON:
				format = "json"
			case asSARIF:
				format = "sarif"
			case !slices.Contains([]string{"text", "json", "sarif"}, format):
				return usageError(cmd, "--format %q: want text, json or sarif", format)
			}
			d, file, err := o.check(args[0])
			if err != nil {
				return err
			}
			if err := printCheck(cmd.OutOrStdout(), format, file, d, v); err != nil {
				return err
			}
			switch {
			case len(d.Refusals) > 0 || d.Failure != "":
				return exitError(wouldRefuse)
			case len(d.Changes) > 0:
				return exitError(wouldChange)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, json or sarif")
	cmd.Flags().BoolVar(&asJSON, "json", false, "short for --format json")
	cmd.Flags().BoolVar(&asSARIF, "sarif", false, "short for --format sarif (2.1.0, for code scanners)")
	cmd.Flags().BoolVar(&v.all, "all", false, "show each path that would be hidden, not their number")
	cmd.Flags().BoolVar(&v.wide, "wide", false, "one line for each change, with long values as they are")
	return cmd
}

// check judges the spec at path, a bundle or the file itself.
func (o *options) check(path string) (decision.Decision, string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return decision.Decision{}, "", err
	}
	file := path
	if info.IsDir() {
		file = filepath.Join(path, "config.json")
	}
	pol, err := o.policy()
	if err != nil {
		return decision.Decision{}, "", err
	}
	d, err := door.DryRun(pol, file)
	return d, file, err
}

func printCheck(w io.Writer, format, file string, d decision.Decision, v view) error {
	switch format {
	case "json":
		return printJSON(w, d)
	case "sarif":
		return printJSON(w, toSARIF(file, d))
	}
	printDecision(w, d, v)
	return nil
}

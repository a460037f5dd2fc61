//go:build hatchdog_manual

package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manualCommands is what only the build of the manual pages has.
func manualCommands() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "manual DIR",
		Short:  "Write the manual pages",
		Hidden: true,
		Args:   between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "HATCHCTL", Section: "1", Source: "hatchdog", Manual: "hatchdog"}, args[0])
		},
	}}
}

//go:build !hatchdog_manual

package main

import "github.com/spf13/cobra"

// manualCommands is nothing but in the build of the manual pages.
func manualCommands() []*cobra.Command { return nil }

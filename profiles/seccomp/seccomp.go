// Package seccomp holds the tables of the built-in profiles. Their text (*.table)
// says which calls each admits, and why it denies the others. hatchdog reads it
// when it starts.
//
// baseline.table is Docker's own table (github.com/moby/profiles), which
// `make golden` writes anew, with the capabilities' lines in it. denied.table is
// common to all, capabilities.table to the others.
package seccomp

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/seccomp"
)

//go:embed *.table
var files embed.FS

// Names are the tables, from wide to narrow: each admits no more than the one
// before.
func Names() []string { return []string{"baseline", "restricted", "untrusted"} }

// Load reads a table.
func Load(name string) (*seccomp.Table, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("seccomp table %q: there is none", name)
	}
	parts := []string{"denied", name}
	switch name {
	case "restricted":
		parts = []string{"denied", name, "capabilities"}
	case "untrusted":
		parts = []string{"denied", "restricted", name, "capabilities"}
	}
	var text strings.Builder
	for _, p := range parts {
		data, err := files.ReadFile(p + ".table")
		if err != nil {
			return nil, fmt.Errorf("seccomp table %q: %w", name, err)
		}
		text.Write(data)
	}
	return seccomp.ParseTable(name, text.String())
}

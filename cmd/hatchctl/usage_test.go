package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Each command says in a line what it is for, and shows how it is called.
func TestEveryCommandHasALineAndAnExample(t *testing.T) {
	seen := 0
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			if c.Name() == "completion" || c.Name() == "help" || c.Hidden {
				continue
			}
			seen++
			if c.Short == "" || len(c.Short) > 80 || strings.HasSuffix(c.Short, ".") {
				t.Errorf("%s: %d letters: %s", c.CommandPath(), len(c.Short), c.Short)
			}
			if !strings.Contains(c.Example, "hatchctl "+strings.TrimPrefix(c.CommandPath(), "hatchctl ")) {
				t.Errorf("%s: no example of it: %q", c.CommandPath(), c.Example)
			}
			if cmd.Parent() == nil && c.GroupID == "" {
				t.Errorf("%s is in no group of the help", c.CommandPath())
			}
			each(c)
		}
	}
	each(newRoot(false))
	if seen < 20 {
		t.Errorf("only %d commands", seen)
	}
}

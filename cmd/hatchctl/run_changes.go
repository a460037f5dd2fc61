package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/sandbox/layer"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

// shownLines bounds what a run prints of its changes by itself.
const shownLines = 200

// changesCommands are for what a command with --overlay left.
func changesCommands(f *runFlags) []*cobra.Command {
	var marked, asJSON bool
	apply := &cobra.Command{
		Use:   "apply NAME",
		Short: "Write what a command with --overlay changed into its directory",
		Long: `Write what a command with --overlay changed into its directory.

Nothing is written if a path of the directory is not as it was when the command
began. A change that the host would run or believe (.vscode, .github, start files
of shells), and a link that leads out of the directory, are marked with ! in the
list: nothing is written with one of them unless --marked is given.`,
		Example: `  hatchctl run apply run-npm-1a2b3c4d
  hatchctl run apply --marked run-npm-1a2b3c4d`,
		Args: between(1, 1),
		RunE: func(_ *cobra.Command, args []string) error { return f.applyLayers(args[0], marked) },
	}
	apply.Flags().BoolVar(&marked, "marked", false, "also what is marked with !")
	diff := &cobra.Command{
		Use:     "diff NAME",
		Short:   "Show what a command with --overlay changed",
		Example: `  hatchctl run diff run-npm-1a2b3c4d`,
		Args:    between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := f.layers(args[0])
			if err != nil {
				return err
			}
			for _, l := range all {
				changes, err := l.Changes()
				if err == nil && asJSON {
					err = printJSON(cmd.OutOrStdout(), map[string]any{"directory": l.Dir, "changes": changes})
				} else if err == nil {
					err = showChanges(cmd.OutOrStdout(), l, changes)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	diff.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	discard := &cobra.Command{
		Use:     "discard NAME",
		Short:   "Forget what a command with --overlay changed",
		Example: `  hatchctl run discard run-npm-1a2b3c4d`,
		Args:    between(1, 1),
		RunE:    func(_ *cobra.Command, args []string) error { return f.discard(args[0]) },
	}
	return []*cobra.Command{apply, diff, discard}
}

func (f *runFlags) places() (run.Places, error) {
	return run.PlacesOf(f.boxDir, owner.User(), os.Getenv)
}

func (f *runFlags) layers(name string) ([]*layer.Layer, error) {
	p, err := f.places()
	if err != nil {
		return nil, err
	}
	return layer.Open(p.Layers, name)
}

func (f *runFlags) discard(name string) error {
	p, err := f.places()
	if err != nil {
		return err
	}
	return layer.Discard(p.Layers, name)
}

func (f *runFlags) applyLayers(name string, marked bool) error {
	all, err := f.layers(name)
	if err != nil {
		return err
	}
	for _, l := range all {
		changes, err := l.Changes()
		if err != nil {
			return err
		}
		if err := l.Apply(changes, marked); err != nil {
			return errors.New(plain.Text(err.Error()))
		}
	}
	return f.discard(name)
}

// showLayers shows what a run left, or forgets that it left nothing.
func (f *runFlags) showLayers(w io.Writer, name string) (*eventChange, error) {
	all, err := f.layers(name)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	total := &eventChange{}
	for _, l := range all {
		changes, err := l.Changes()
		if err != nil {
			return nil, err
		}
		total.add(changes)
		if err := showChanges(&b, l, changes); err != nil {
			return nil, err
		}
	}
	if total.Paths == 0 {
		fmt.Fprintln(w, "hatchctl: nothing changed")
		return total, f.discard(name)
	}
	lines := strings.SplitAfter(b.String(), "\n")
	if len(lines) > shownLines {
		lines = append(lines[:shownLines], "... (the whole: hatchctl run diff "+name+")\n")
	}
	fmt.Fprintf(w, "hatchctl: %d paths changed, which count only with 'hatchctl run apply %s'\n%s", total.Paths, name, strings.Join(lines, ""))
	return total, nil
}

// showChanges lists the changes, and those of lines below. All of it is the
// command's: escapes are taken out.
func showChanges(w io.Writer, l *layer.Layer, changes []layer.Change) error {
	fmt.Fprintln(w, harmless(l.Dir)+":")
	for _, c := range changes {
		sign := " "
		if c.Marked != "" {
			sign = "!"
		}
		line := fmt.Sprintf("%s %-8s %s", sign, c.What, harmless(c.Path))
		if c.Kind != "file" {
			line += " (" + c.Kind + ")"
		}
		if c.To != "" {
			line += " -> " + harmless(c.To)
		}
		if c.Marked != "" {
			line += "  " + c.Marked
		}
		fmt.Fprintln(w, line)
	}
	for _, c := range changes {
		text, err := l.Text(c)
		if err != nil {
			return err
		}
		fmt.Fprint(w, plain.Text(text))
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/install"
)

// installFlags are those of install and uninstall.
type installFlags struct {
	options     install.Options
	engine      install.Engine
	place       install.Place
	dryRun      bool
	restart     bool
	restarted   bool // a restart was tried: a roll-back needs another
	installing  bool
	restartWith string
	aliveWith   string
}

func installCommand() *cobra.Command {
	f := &installFlags{}
	cmd := &cobra.Command{
		Use:       "install docker|containerd|crio|podman",
		Short:     "Add hatchdog to an engine as a runtime",
		Long:      "Add hatchdog to an engine as a runtime.\n\nIt keeps the other settings of the engine, and it keeps the file as it was beside it.\nRunning it again changes nothing.",
		Example:   "  hatchctl install docker --dry-run\n  hatchctl install containerd --set-default --restart",
		Args:      between(1, 1),
		ValidArgs: install.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.checkBinary(); err != nil {
				return err
			}
			f.installing = true
			return f.run(cmd.OutOrStdout(), args[0], install.PlanInstall)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.options.SetDefault, "set-default", false, "hatchdog runs the containers that name no runtime")
	return cmd
}

func uninstallCommand() *cobra.Command {
	f := &installFlags{}
	cmd := &cobra.Command{
		Use:       "uninstall docker|containerd|crio|podman",
		Short:     "Undo install: restore the engine's configuration",
		Example:   "  hatchctl uninstall docker",
		Args:      between(1, 1),
		ValidArgs: install.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.OutOrStdout(), args[0], install.PlanUninstall)
		},
	}
	f.add(cmd)
	return cmd
}

func (f *installFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.options.Binary, "binary", "/usr/local/bin/hatchdog", "where hatchdog is")
	cmd.Flags().StringVar(&f.place.Config, "config", "", "the file to edit (default: the engine's own)")
	cmd.Flags().StringVar(&f.place.Root, "root", "/", "the root of the system to edit")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print what would be written, write nothing")
	cmd.Flags().BoolVar(&f.restart, "restart", false, "make the engine read it at once, and roll back if it does not come back")
	cmd.Flags().StringVar(&f.restartWith, "restart-with", "", "the shell command that does so (default: systemctl's)")
	cmd.Flags().StringVar(&f.aliveWith, "alive-with", "", "the shell command that succeeds when the engine is back (default: the engine's client)")
}

// plainPath has nothing that JSON, TOML, systemd or a shell would read.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9._/+-]+$`)

func (f *installFlags) checkBinary() error {
	if !filepath.IsAbs(f.options.Binary) {
		return fmt.Errorf("--binary %s: not an absolute path", f.options.Binary)
	}
	if !plainPath.MatchString(f.options.Binary) {
		return fmt.Errorf("--binary %q: the engines' configuration takes only letters, digits and ._/+-", f.options.Binary)
	}
	info, err := os.Stat(filepath.Join(f.place.Root, f.options.Binary))
	if err != nil {
		return fmt.Errorf("--binary: %w; install hatchdog there first", err)
	}
	if !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("--binary %s: not an executable", f.options.Binary)
	}
	return nil
}

// run plans every edit before it makes the first.
func (f *installFlags) run(w io.Writer, name string, plan func(string, install.Format, install.Options) (install.Edit, error)) (err error) {
	if f.engine, err = install.EngineOf(name); err != nil {
		return err
	}
	targets, err := f.engine.Targets(f.place)
	if err != nil {
		return err
	}
	var edits []install.Edit
	for _, t := range targets {
		e, err := plan(t.Path, t.Format, f.options)
		if err != nil {
			return err
		}
		edits = append(edits, e)
	}
	if f.installing {
		f.tellRelease(w)
	}
	changed := false
	for _, e := range edits {
		changed = changed || e.Changes()
		describe(w, e, f.dryRun)
	}
	if f.dryRun {
		return nil
	}
	undo, err := applyAll(edits)
	if err == nil && changed {
		err = f.settle(w)
	}
	if err != nil {
		return errors.Join(err, f.rollBack(w, undo))
	}
	if changed && !f.restart {
		fmt.Fprintf(w, "now run: %s\n", f.restartCommand())
	}
	return nil
}

func describe(w io.Writer, e install.Edit, dryRun bool) {
	switch {
	case e.Before == nil && e.After == nil: // neither there nor wanted
	case !e.Changes():
		fmt.Fprintf(w, "%s: as it should be\n", e.Path)
	case e.After == nil:
		fmt.Fprintf(w, "%s: removed\n", e.Path)
	case dryRun:
		fmt.Fprintf(w, "%s would be:\n%s", e.Path, indent(string(e.After)))
	default:
		fmt.Fprintf(w, "%s: written\n", e.Path)
	}
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// applyAll makes all edits. The undo gives back those that were made.
func applyAll(edits []install.Edit) (undo func() error, err error) {
	var undos []func() error
	undo = func() error {
		var errs []error
		for i := len(undos) - 1; i >= 0; i-- {
			errs = append(errs, undos[i]())
		}
		return errors.Join(errs...)
	}
	for _, e := range edits {
		back, err := e.Apply()
		undos = append(undos, back)
		if err != nil {
			return undo, err
		}
	}
	return undo, nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	learning "github.com/hatchdog/hatchdog/internal/learn"
)

const learnHelp = `Record what containers do, and write the narrowest profile under which they do it
again: system calls with the arguments that the tables look at, capabilities, programs,
devices, what is written, ports, destinations, and the peaks of processes, memory and
open files. It needs root and BPF (tracepoints, BTF), and changes no container.

'learn -- COMMAND' records every container that appears while COMMAND runs. 'learn
start' records in the background until 'learn stop': containers that run, and those
that are started meanwhile. No start of a container waits for it.

A learned profile extends builtin/restricted and never goes beyond it: what was seen
beyond it is listed for review, and granted only by name ('learn show --grant').

Without BPF, '--log' records the calls and the programs of containers that were given
the filter that 'learn filter' writes.

Recordings are kept in the state directory, which is emptied by a restart of the host.`

func learnCommand(o *options) *cobra.Command {
	var as string
	var log bool
	cmd := &cobra.Command{
		Use:   "learn [-- COMMAND ...]",
		Short: "Record what containers do, and write the profile for it",
		Long:  learnHelp,
		Example: `  hatchctl learn --as web -- docker run --rm --runtime=hatchdog web ./selftest
  hatchctl learn start web
  hatchctl learn stop web
  hatchctl learn show web > web.yaml`,
	}
	group(cmd, learnStart(o), learnStop(o), learnShow(o), learnMerge(o), learnVerify(o), learnRemove(o), learnFilter(), learnRecord(o))
	below := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.ArgsLenAtDash() != 0 || len(args) == 0 {
			return below(cmd, args)
		}
		name := as
		if name == "" {
			name = "run-" + time.Now().UTC().Format("20060102-150405")
		}
		return o.learnDuring(cmd, name, log, args)
	}
	cmd.Flags().StringVar(&as, "as", "", "the name of the recording (default: the time)")
	logFlag(cmd, &log)
	return cmd
}

func logFlag(cmd *cobra.Command, log *bool) {
	cmd.Flags().BoolVar(log, "log", false, "record without BPF: calls and programs alone, of containers that were given the filter of 'learn filter'")
}

func learnStop(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "stop NAME", Short: "End a recording that runs in the background",
		Long:    "End a recording that runs in the background, and keep what was recorded.",
		Example: "  hatchctl learn stop web", Args: between(1, 1), ValidArgsFunction: o.completeRecordings,
		RunE: func(cmd *cobra.Command, args []string) error {
			r := o.recordings()
			if err := learning.CheckName(args[0]); err != nil {
				return err
			}
			if err := r.end(args[0]); err != nil {
				return err
			}
			return o.learnedLine(cmd.ErrOrStderr(), args[0])
		},
	}
}

// learnedLine says what a recording holds.
func (o *options) learnedLine(w io.Writer, name string) error {
	d, err := o.recordings().read(name)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: %d runs, %d kinds of calls, %d programs; 'hatchctl learn show %s' writes the profile\n", name, d.Runs, len(d.Calls), len(d.Programs), name)
	if d.Runs == 0 {
		fmt.Fprintln(w, "no container under hatchdog was seen")
	}
	for _, n := range d.Notes {
		fmt.Fprintf(w, "not seen: %s\n", harmless(n))
	}
	return nil
}

// learnFormats are the forms of show.
func learnFormats() []string {
	return []string{"policy", "seccomp", "apparmor", "networkpolicy", "json"}
}

func learnShow(o *options) *cobra.Command {
	var format string
	var grant []string
	cmd := &cobra.Command{
		Use: "show [NAME]", Short: "Write the profile of a recording, or list the recordings",
		Long: `Write the profile of a recording to standard output, or list the recordings.

Each line has its evidence as a comment: how often, when first and last, and by which
program. Names that a container chose are quoted, and stand in comments alone. What
builtin/restricted does not have is listed for review and not granted, except for what
--grant names.

A program that was not exercised in full fails where it does something new: record its
restart, its errors and its rare work too, and try the profile by 'learn verify' and in
complain mode.`,
		Example: `  hatchctl learn show web > web.yaml
  hatchctl learn show web --grant CAP_NET_BIND_SERVICE
  hatchctl learn show web --format seccomp > web.json`,
		Args: between(0, 1), ValidArgsFunction: o.completeRecordings,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(learnFormats(), format) {
				return usageError(cmd, "--format %q is not one of %s", format, strings.Join(learnFormats(), ", "))
			}
			if len(args) == 0 {
				return o.listRecordings(cmd.OutOrStdout())
			}
			return o.showLearned(cmd.OutOrStdout(), args[0], format, grant)
		},
	}
	cmd.Flags().StringVar(&format, "format", "policy", "what to write: "+strings.Join(learnFormats(), ", "))
	cmd.Flags().StringArrayVar(&grant, "grant", nil, "a capability or a system call beyond builtin/restricted to grant (may be given again)")
	return cmd
}

func (o *options) listRecordings(w io.Writer) error {
	r := o.recordings()
	names, err := r.names()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tRUNS\tLAST\tSTATE")
	for _, name := range names {
		d, err := r.read(name)
		state := "kept"
		if r.recorder(name) != 0 {
			state = "being recorded"
		}
		if err != nil {
			d, state = learning.New(), "cannot be read: "+harmless(err.Error())
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\n", name, d.Runs, d.Last.Format(time.RFC3339), state)
	}
	return table.Flush()
}

func (o *options) showLearned(w io.Writer, name, format string, grant []string) error {
	d, err := o.recordings().read(name)
	if err != nil {
		return err
	}
	if format == "json" {
		return printJSON(w, d)
	}
	p, _, err := learnedProfile(d, name, grant)
	if err != nil {
		return err
	}
	write := map[string]func() ([]byte, error){
		"policy": p.Policy, "seccomp": p.Seccomp, "apparmor": p.Apparmor, "networkpolicy": p.NetworkPolicy,
	}[format]
	text, err := write()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func learnMerge(o *options) *cobra.Command {
	var as string
	cmd := &cobra.Command{
		Use: "merge NAME|FILE ... --as NAME", Short: "Put recordings of one workload together",
		Long: `Put recordings of one workload together: of several runs, replicas or hosts. FILE is
what 'learn show --format json' wrote; it holds a /.`,
		Example: "  hatchctl learn merge web ./other-host.json --as web-all",
		Args:    between(1, recordingsMost), ValidArgsFunction: o.completeRecordings,
		RunE: func(cmd *cobra.Command, args []string) error {
			if as == "" {
				return usageError(cmd, "--as is missing: the name of what comes out")
			}
			r, all := o.recordings(), learning.New()
			for _, name := range args {
				d, err := r.read(name)
				if err != nil {
					return err
				}
				all.Merge(d)
			}
			lock, err := r.take(as)
			if err != nil {
				return err
			}
			defer lock.Close()
			if err := r.write(as, all); err != nil {
				return err
			}
			return o.learnedLine(cmd.ErrOrStderr(), as)
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "the name of what comes out")
	return cmd
}

func learnRemove(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a recording", Long: "Remove a recording that is not running.",
		Example: "  hatchctl learn remove web", Args: between(1, 1), ValidArgsFunction: o.completeRecordings,
		RunE: func(_ *cobra.Command, args []string) error {
			r := o.recordings()
			if _, err := r.read(args[0]); err != nil && (strings.Contains(args[0], "/") || !errors.Is(err, learning.ErrVersion)) {
				return err
			}
			return r.remove(args[0])
		},
	}
}

func (o *options) completeRecordings(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	names, _ := o.recordings().names()
	return names, cobra.ShellCompDirectiveNoFileComp
}

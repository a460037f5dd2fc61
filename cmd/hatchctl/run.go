package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
	"github.com/hatchdog/hatchdog/internal/sandbox/run/enter"
)

// runFlags are those of run, as they were given.
type runFlags struct {
	rw, ro, env, secret, allow []string
	name, report, reportFile   string
	events, untilFd, narrowFd  string
	workdir                    string
	memory, output, tmp        string
	pids                       int64
	cpu                        float64
	time                       time.Duration
	exec, overlay, strict      bool
	preset, showPreset         string
	policyFrom, accepted       string
	boxDir                     string
	noAsk, learn               bool
	given                      []string // on this command line
	set, registries            []string // of the preset
}

func runCommand(o *options) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGUMENT...]",
		Short: "Run a command that sees the system, its directory and nothing else",
		Long: `Run a command in a box: a container without an image, under the profile
builtin/sandbox, or under a profile of your own with the name sandbox.

It sees the host's programs and libraries and the working directory, all
read-only, an empty home, and its own /tmp, /run, /proc and /dev. It has no
network, no capability, no user of the host, and of the environment only what
shows on a terminal. Keys, tokens, shell histories, .env files and the like are
masked in what is granted, and what the host would run later (.git/hooks,
.github, .vscode, start files of shells) stays as it is, also where it is not
there yet. The home directory, / and what the policy protects are not shown
because the command was called from there: name what it needs.

With --overlay it writes to a copy; 'hatchctl run apply' makes that count.

--allow takes addresses (192.0.2.7:443/tcp, 198.51.100.0/24:5432), names
(registry.npmjs.org, *.example.org:8443/tcp; without a port it is 443/tcp), and the
word registries, for those that the preset names. A name opens the addresses that
the host's resolver answers, at those ports. An answer that is private or the host's own
is refused, except for an entry that says so: "db.internal:5432 private".

Exit codes: the command's own (128 and the number of a signal that killed it);
121 it printed more than --output, 122 it was killed for lack of memory, 124
--time was over, 125 the box was not made, 126 the command cannot be started,
127 it is not found. One line says so.`,
		Example: `  hatchctl run -- ./untrusted-script.sh
  hatchctl run --preset make --rw . -- make test
  hatchctl run --ro ~/.gitconfig --secret API_TOKEN -- python3 fetch.py`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && f.showPreset == "" {
				return usageError(cmd, "a command is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, f, args) },
	}
	f.addBox(cmd.Flags())
	f.addRun(cmd.Flags())
	f.addPlaces(cmd.PersistentFlags())
	cmd.AddCommand(changesCommands(f)...)
	return cmd
}

// addBox are the flags that say what the command gets.
func (f *runFlags) addBox(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.rw, "rw", nil, "let it read and write this directory or file (repeatable)")
	flags.StringArrayVar(&f.ro, "ro", nil, "let it read this directory or file (repeatable)")
	flags.StringArrayVar(&f.env, "env", nil, "hand on this variable of the environment, or set it: NAME or NAME=VALUE (repeatable)")
	flags.StringArrayVar(&f.secret, "secret", nil, "hand on this variable as a file in memory, "+sandbox.Secrets+"/NAME (repeatable)")
	flags.StringSliceVar(&f.allow, "allow", nil, "let it reach ADDRESS[/BITS][:PORT[/PROTOCOL]], NAME[:PORT[/PROTOCOL]] or the registries of the preset (repeatable)")
	flags.StringVar(&f.preset, "preset", "none", "limits and variables for a kind of command: "+strings.Join(sandbox.Presets(), ", "))
	flags.BoolVar(&f.exec, "exec", false, "let programs run that lie where it can write: what it builds, what it downloads")
	flags.BoolVar(&f.overlay, "overlay", false, "let it write to a copy of each --rw directory; show what changed, and apply it only with 'hatchctl run apply'")
	flags.BoolVar(&f.strict, "strict", false, "fail where this host or user cannot give the box all that it is to have ('hatchctl doctor --sandbox' lists it)")
	flags.StringVar(&f.policyFrom, "policy-from", "", "narrow the box by this file of a repository, as .hatchdog/sandbox.yaml; it cannot widen it")
	flags.StringVar(&f.accepted, "policy-accept", "", "accept that file if it has this SHA-256")
	flags.StringVar(&f.memory, "memory", "512MiB", "memory, with what its file systems in memory hold")
	flags.Float64Var(&f.cpu, "cpu", 1, "CPUs")
	flags.Int64Var(&f.pids, "pids", 256, "processes and threads")
	flags.DurationVar(&f.time, "time", time.Hour, "how long it may take; 0 is as long as it likes")
	flags.StringVar(&f.output, "output", "64MiB", "how much it may print; 0 is as much as it likes")
	flags.StringVar(&f.tmp, "tmp", "64MiB", "size of each of its file systems in memory: home, /tmp, /var/tmp, /run")
}

// addRun are those of one run.
func (f *runFlags) addRun(flags *pflag.FlagSet) {
	flags.SetInterspersed(false) // what follows the command is the command's
	flags.StringVar(&f.showPreset, "show-preset", "", "print this preset, and run nothing")
	flags.BoolVar(&f.noAsk, "no-ask", false, "fail where that file is new or changed, instead of asking")
	flags.StringVar(&f.name, "name", "", "its name for list, explain and net (default: run-, the command and a number)")
	flags.StringVar(&f.report, "report", "text", "what to print at the end on standard error: text (if there is something to say), json, sarif or none")
	flags.StringVar(&f.reportFile, "report-file", "", "write the report there instead")
	flags.StringVar(&f.events, "json-events", "", "write what happens as lines of JSON to this descriptor (3 or more) or file")
	flags.StringVar(&f.untilFd, "until-fd", "", "kill the command when this descriptor (3 or more) is at its end: when who holds the other end of a pipe closes it, or ends")
	flags.BoolVar(&f.learn, "learn", false, "print the flags that the command needs: run it again with those, until it needs none")
	flags.StringVar(&f.workdir, "workdir", "", "start the command in this directory, which it sees")
	flags.StringVar(&f.narrowFd, "narrow-fd", "", "narrow the box by what this descriptor (3 or more) has, a text as --policy-from takes it with paths from /; nobody is asked")
}

var errComplain = errors.New("the policy only records (mode: complain), so nothing would hold the command; run needs mode: enforce")

// oneRun are flags that mean one run and no other.
var oneRun = []string{"learn", "name", "report", "report-file", "json-events", "until-fd", "narrow-fd", "policy-accept", "no-ask"}

// addPlaces is the flag that says where all of it is kept.
func (f *runFlags) addPlaces(flags *pflag.FlagSet) {
	flags.StringVar(&f.boxDir, "box-dir", "", "where boxes, copies and what was accepted are kept (default: root's in /var/lib and /run, a user's in XDG_RUNTIME_DIR and XDG_STATE_HOME)")
}

// alone runs the same command line as the root of a user namespace.
func (f *runFlags) alone() (int, error) {
	p, err := f.places()
	if err == nil {
		err = p.Make(false)
	}
	if err != nil {
		return 0, err
	}
	return enter.Again(os.Args[1:])
}

func (o *options) run(cmd *cobra.Command, f *runFlags, args []string) error {
	if f.showPreset != "" {
		text, err := sandbox.PresetText(f.showPreset)
		if err == nil {
			_, err = cmd.OutOrStdout().Write(text)
		}
		return err
	}
	if !slices.Contains([]string{"text", "json", "sarif", "none"}, f.report) {
		return usageError(cmd, "--report %q: text, json, sarif or none", f.report)
	}
	if err := f.usePreset(cmd.Flags().Changed); err != nil {
		return usageError(cmd, "%v", err)
	}
	if f.strict && !o.entered {
		if err := o.strict(f); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl:", err)
			return exitError(run.CodeFailed)
		}
	}
	if os.Geteuid() != 0 {
		code, err := f.alone()
		if err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl:", err)
			code = run.CodeFailed
		}
		if code == 0 {
			return nil
		}
		return exitError(code)
	}
	ev, err := f.openEvents()
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "hatchctl: --json-events %s: %v\n", f.events, err)
		return exitError(run.CodeFailed)
	}
	shared, own := words(cmd.Flags(), "", oneRun...)
	f.given = slices.Concat(shared, own)
	code, err := o.box(cmd.ErrOrStderr(), f, ev, args)
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl:", err)
		code = cmp.Or(code, run.CodeFailed)
		if err := ev.write(event{Event: eventFailed, Message: err.Error()}); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), "hatchctl: --json-events:", err)
		}
	}
	if code == 0 {
		return nil
	}
	return exitError(code)
}

// box runs the command, and tells what became of it.
func (o *options) box(errs io.Writer, f *runFlags, ev *events, args []string) (int, error) {
	cancel, err := f.until()
	if err != nil {
		return 0, fmt.Errorf("--until-fd %s: %w", f.untilFd, err)
	}
	r, err := o.request(f, args)
	if err != nil {
		return 0, err
	}
	ev.named(r.Box.ID)
	var to *reportFile
	if f.reportFile != "" {
		if to, err = openReport(f.reportFile); err != nil {
			return 0, fmt.Errorf("--report-file %s: %w", f.reportFile, err)
		}
	}
	r.Cancel = cancel
	var told error
	r.Started = func() { told = ev.started(r) }
	l := f.learner(r)
	out, err := run.Run(r)
	l.end()
	if err != nil {
		return out.Code, err
	}
	rep := newReport(r, out)
	rep.Learned = l.learned(r, rep.Denied)
	var changed *eventChange
	if r.Overlay {
		if changed, err = f.showLayers(errs, r.Box.ID); err != nil {
			return 0, fmt.Errorf("changes: %w", err)
		}
	}
	if err := report(errs, f, to, r, rep); err != nil {
		fmt.Fprintln(errs, "hatchctl: report:", err)
	}
	if err := errors.Join(told, ev.ended(rep, changed)); err != nil {
		fmt.Fprintln(errs, "hatchctl: --json-events:", err)
	}
	return out.Code, nil
}

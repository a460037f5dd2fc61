package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

func explainCommand(o *options) *cobra.Command {
	var asJSON, original bool
	var v view
	cmd := &cobra.Command{
		Use:   "explain CONTAINER",
		Short: "Show what a container lost or was refused, and why",
		Long: `Show what a container lost or was refused, and why.

` + nameHelp + `
It looks a container that is gone, or that was refused, up in the audit log, and
shows the last of several with one name.`,
		Example: `  hatchctl explain web
  hatchctl explain --json 4f0c9a1b2c3d
  hatchctl explain --original web`,
		Args:              between(1, 1),
		ValidArgsFunction: o.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := o.lookUp(args[0])
			if err != nil {
				return err
			}
			if original {
				return o.printOriginal(cmd.OutOrStdout(), found)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), found)
			}
			for i, d := range found {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				v.ceiling = o.ceiling(d)
				printDecision(cmd.OutOrStdout(), d, v)
				if rec, err := o.store().Load(d.Root, d.ID); err == nil && isCreate(d.Door) {
					o.looked(d.Root, d.ID, rec).explain(cmd.OutOrStdout())
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the decisions as JSON")
	cmd.Flags().BoolVar(&original, "original", false, "print config.json as the engine wrote it (may hold secrets)")
	cmd.Flags().BoolVar(&v.all, "all", false, "show each path that was hidden, not their number")
	cmd.Flags().BoolVar(&v.wide, "wide", false, "one line for each change, with long values as they are")
	return cmd
}

// view is how a decision is shown.
type view struct {
	wide, all bool
	ceiling   *policy.Profile // nil where the record is gone
}

// ceiling is what the container of a decision is held to, while it lives.
func (o *options) ceiling(d decision.Decision) *policy.Profile {
	rec, err := o.store().Load(d.Root, d.ID)
	if err != nil {
		return nil
	}
	return rec.Ceiling
}

// lookUp finds the decisions on a container: its record first, then what the
// audit log has of it, exec and update included.
func (o *options) lookUp(name string) ([]decision.Decision, error) {
	entries, err := o.find(name)
	if err != nil {
		return nil, err
	}
	var found []decision.Decision
	for _, e := range entries {
		if e.Err != nil && !errors.Is(e.Err, decision.ErrNoRecord) {
			return nil, e.Err
		}
		if e.Record != nil {
			found = append(found, e.Record.Decision)
		}
	}
	if len(found) > 0 {
		name = found[0].ID
	}
	logged, err := o.logged(name)
	if err != nil {
		return nil, err
	}
	for _, d := range logged {
		if len(found) > 0 && (d.ID != found[0].ID || isCreate(d.Door)) {
			continue
		}
		found = append(found, d)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no container %q is known: neither running under hatchdog nor in the audit log; 'hatchctl list' shows those that run", name)
	}
	return found, nil
}

func isCreate(door string) bool { return door == "create" || door == "run" || door == "restore" }

// logged reads the decisions on a container from the audit log, oldest first. A
// name may have been that of several, one after the other: the last is meant. The
// start of an id means one container, or none.
func (o *options) logged(name string) ([]decision.Decision, error) {
	var found []decision.Decision
	err := o.eachLogged(func(d decision.Decision) {
		if fits(name, d.ID, d.Workload) != fitNot {
			found = append(found, d)
		}
	})
	if err != nil {
		return nil, err
	}
	found = best(found, func(d decision.Decision) fit { return fits(name, d.ID, d.Workload) })
	if len(found) == 0 {
		return nil, nil
	}
	last := found[len(found)-1]
	other := slices.IndexFunc(found, func(d decision.Decision) bool { return d.ID != last.ID })
	if other >= 0 && (strings.HasPrefix(last.ID, name) || strings.HasPrefix(found[other].ID, name)) {
		return nil, fmt.Errorf("%q: %w: %s, %s; give an id", name, errManyContainers, called(found[other].ID, found[other].Workload), called(last.ID, last.Workload))
	}
	return slices.DeleteFunc(found, func(d decision.Decision) bool { return d.ID != last.ID }), nil
}

// eachLogged calls f with each decision in the audit log, the oldest first.
func (o *options) eachLogged(f func(decision.Decision)) error {
	path, err := o.auditPath()
	if err != nil {
		return err
	}
	return audit.Read(path, func(event []byte) error {
		var d decision.Decision
		if json.Unmarshal(event, &d) == nil && d.Door != "" { // another kind of event has none
			f(d)
		}
		return nil
	})
}

func (o *options) printOriginal(w io.Writer, found []decision.Decision) error {
	d := found[0]
	data, err := o.store().Original(d.Root, d.ID)
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

func printDecision(w io.Writer, d decision.Decision, v view) {
	head := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(head, "%s\t%s\n", name, harmless(fmt.Sprintf(format, args...)))
	}
	row("container", "%s%s, %s%s", nameBefore(d.Workload), d.ID, engineWords(d.Workload.Engine), workloadNames(d))
	row("profile", "%s, by %s, mode %s", d.Profile, ruleWords(d.Rule), d.Mode)
	if cannot := explain.Cannot(d.Changes, v.ceiling); isCreate(d.Door) && d.Outcome != decision.Refused && len(cannot) > 0 {
		row(cannotWords(d.Outcome), "%s", strings.Join(cannot, ", "))
	}
	row("decided", "%s at %s: %s", d.Door, d.Time.UTC().Format(time.RFC3339), outcomeWords(d))
	if d.Runtime.Path != "" {
		row("runs under", "%s %s (%s)", d.Runtime.Name, d.Runtime.Version, d.Runtime.Path)
	}
	if d.Failure != "" {
		row("failed", "%s", d.Failure)
	}
	for _, n := range d.Notes {
		row("note", "%s", n)
	}
	_ = head.Flush()
	printRefusals(w, d)
	if len(d.Changes) == 0 {
		return
	}
	fmt.Fprintln(w)
	if v.wide {
		printWide(w, d.Changes)
		return
	}
	printChanges(w, d.Changes, v.all)
}

func printRefusals(w io.Writer, d decision.Decision) {
	for _, r := range d.Refusals {
		fmt.Fprintf(w, "\nrefused   %s: %s\n  why     %s\n  policy  %s\n", r.Control, harmless(r.Field), harmless(r.Reason), harmless(r.Policy))
		if r.Remedy != "" {
			fmt.Fprintf(w, "  remedy  %s\n", harmless(r.Remedy))
		}
		fmt.Fprintf(w, "  wise?   %s\n", explain.Wise(r))
	}
	if text := explain.Admitting(d.Workload, d.Profile, d.Rule, d.Refusals); text != "" {
		fmt.Fprintf(w, "\nThe smallest policy that admits it:\n\n%s", text)
	}
}

func cannotWords(o decision.Outcome) string {
	if o == decision.Complained {
		return "would lose" // nothing was taken
	}
	return "cannot"
}

func engineWords(engine string) string {
	switch engine {
	case "":
		return "of an engine that is not recorded"
	case workload.Other:
		return "of no engine that hatchdog knows"
	}
	return "of " + engine
}

// nameBefore is a container's name, where it has one outside of pods.
func nameBefore(w workload.Workload) string {
	if w.Name == "" {
		return ""
	}
	return w.Name + " "
}

func workloadNames(d decision.Decision) string {
	s := ""
	if d.Workload.Pod != "" {
		s += " pod " + d.Workload.Namespace + "/" + d.Workload.Pod
	}
	if d.Workload.Container != "" {
		s += " container " + d.Workload.Container
	}
	if d.Workload.Image != "" {
		s += " image " + d.Workload.Image
	}
	return s
}

func outcomeWords(d decision.Decision) string {
	switch d.Outcome {
	case decision.Tightened:
		return fmt.Sprintf("tightened in %d places", len(d.Changes))
	case decision.Refused:
		return "refused; nothing was started"
	case decision.Complained:
		return fmt.Sprintf("left as asked (complain mode); %d changes and %d refusals were recorded", len(d.Changes), len(d.Refusals))
	case decision.Unchanged:
		return "within the policy; nothing was changed"
	}
	return string(d.Outcome)
}

func ruleWords(rule string) string {
	if rule == "" {
		return "the policy's default"
	}
	return "rule " + rule
}

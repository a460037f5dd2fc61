package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/door"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// suggestRounds bounds how often a suggestion is tried and added to: what one key
// admits another control may refuse.
const suggestRounds = 8

func suggestCommand(o *options) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "suggest CONTAINER",
		Short: "Write the smallest policy that lets a container run as it was asked for",
		Long: `Write the smallest policy that lets a container run as it was asked for.

It grants what the container asked for and was denied. Additions of hatchdog that the
container did not ask for (hidden paths, limits, a user namespace) stay. It tries the
policy against the request before it prints it, and names what the policy does not give
back. It knows only the refusals of a container that was refused and is gone: it grants
them, and does not try the policy.

Read it before you use it: a comment at each key says whether it is wise.

` + nameHelp,
		Example: `  hatchctl policy suggest web
  hatchctl policy suggest --all > suggested.yaml`,
		ValidArgsFunction: o.completeNames,
		Args: func(cmd *cobra.Command, args []string) error {
			if all {
				return between(0, 0)(cmd, args)
			}
			return between(1, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			pol, err := o.policy()
			if err != nil {
				return err
			}
			var found []suggestion
			if all {
				found, err = o.suggestAll(pol)
			} else {
				found, err = o.suggest(pol, args[0])
			}
			if err != nil {
				return err
			}
			printSuggestions(cmd.OutOrStdout(), found)
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "for all containers that run under hatchdog, and all that were refused")
	return cmd
}

// suggestion is what one container would need.
type suggestion struct {
	d      decision.Decision // of the create, without what is suggested
	grants []control.Grant
	tried  bool
	stays  []string // what it asked for and does not get
}

func (s suggestion) rule() string {
	return explain.Rule(s.d.Workload, s.d.Profile, s.d.Rule, s.grants)
}

func (o *options) suggest(pol *policy.Policy, name string) ([]suggestion, error) {
	entries, err := o.find(name)
	if err != nil {
		return nil, err
	}
	var found []suggestion
	for _, e := range entries {
		s, err := o.suggestLive(pol, e)
		if err != nil {
			return nil, err
		}
		found = append(found, s)
	}
	if len(found) > 0 {
		return found, nil
	}
	logged, err := o.lookUp(name)
	if err != nil {
		return nil, err
	}
	return []suggestion{suggestGone(logged)}, nil
}

// suggestLive judges what the engine asked for, again and again, until the policy
// gives all that one can give, and then without each grant in turn: what changes
// nothing is left out.
func (o *options) suggestLive(pol *policy.Policy, e decision.Entry) (suggestion, error) {
	original, err := o.store().Original(e.Root, e.ID)
	if err != nil {
		return suggestion{}, err
	}
	if e.Record == nil {
		return suggestion{}, e.Err
	}
	s := suggestion{tried: true}
	judge := func(grants []control.Grant) (decision.Decision, error) {
		with, err := pol, error(nil)
		if len(grants) > 0 {
			with, err = pol.Before("suggestion", []byte(explain.Policy(s.d.Workload, s.d.Profile, s.d.Rule, grants)))
		}
		if err != nil {
			return decision.Decision{}, err
		}
		d, err := door.DryRunOf(with, original, e.ID, e.Record.Decision.Bundle)
		if err != nil {
			err = fmt.Errorf("%s: %w", e.ID, err)
		}
		return d, err
	}
	if s.d, err = judge(nil); err != nil {
		return s, err
	}
	d := s.d
	for range suggestRounds {
		more := slices.DeleteFunc(wanted(d), func(g control.Grant) bool { return slices.Contains(s.grants, g) })
		if len(more) == 0 {
			break
		}
		s.grants = append(s.grants, more...)
		if d, err = judge(s.grants); err != nil {
			return s, err
		}
	}
	left := denied(d)
	for i := len(s.grants) - 1; i >= 0; i-- {
		without := slices.Delete(slices.Clone(s.grants), i, i+1)
		if d, err := judge(without); err == nil && slices.Equal(denied(d), left) {
			s.grants = without
		}
	}
	s.stays = left
	return s, nil
}

// wanted are the grants that would give a container what it was denied.
func wanted(d decision.Decision) []control.Grant {
	all := explain.Asked(d.Changes)
	for _, r := range d.Refusals {
		all = control.Union(all, r.Grants...)
	}
	return all
}

// denied is what a container asked for and does not get.
func denied(d decision.Decision) []string {
	var all []string
	for _, r := range d.Refusals {
		all = append(all, r.Field+": refused: "+r.Reason)
	}
	for _, c := range d.Changes {
		if c.Before != "" {
			all = append(all, c.Field+": "+c.Reason)
		}
	}
	return all
}

// suggestGone knows the refusals alone.
func suggestGone(logged []decision.Decision) suggestion {
	s := suggestion{d: logged[0]}
	for _, d := range logged {
		if !isCreate(d.Door) {
			continue
		}
		s.d, s.grants, s.stays = d, nil, nil
		for _, r := range d.Refusals {
			s.grants = control.Union(s.grants, r.Grants...)
			if len(r.Grants) == 0 {
				s.stays = append(s.stays, r.Field+": refused: "+r.Reason)
			}
		}
	}
	return s
}

// suggestAll is for what runs, then for what was refused and does not run now.
func (o *options) suggestAll(pol *policy.Policy) ([]suggestion, error) {
	entries, err := o.store().List()
	if err != nil {
		return nil, err
	}
	var found []suggestion
	known := map[string]bool{}
	for _, e := range entries {
		if e.Record == nil {
			continue
		}
		s, err := o.suggestLive(pol, e)
		if err != nil {
			s = suggestion{d: e.Record.Decision, stays: []string{"it could not be judged: " + err.Error()}}
		}
		known[e.Record.Decision.Workload.Key()] = true
		found = append(found, s)
	}
	refused := map[string]decision.Decision{}
	err = o.eachLogged(func(d decision.Decision) {
		if isCreate(d.Door) && d.Outcome == decision.Refused {
			refused[d.Workload.Key()] = d
		}
	})
	for _, key := range slices.Sorted(maps.Keys(refused)) {
		if !known[key] {
			found = append(found, suggestGone([]decision.Decision{refused[key]}))
		}
	}
	return found, err
}

// printSuggestions writes one policy for all of them.
func printSuggestions(w io.Writer, found []suggestion) {
	fmt.Fprintln(w, "version: 1")
	head, seen := false, map[string]bool{}
	for _, s := range found {
		fmt.Fprintf(w, "\n# %s: %s\n", called(s.d.ID, s.d.Workload), harmless(s.words()))
		for _, line := range s.stays {
			fmt.Fprintf(w, "#   stays: %s\n", harmless(line))
		}
		if len(s.grants) == 0 {
			continue
		}
		if !head {
			fmt.Fprintln(w, "rules:")
			head = true
		}
		rule := s.rule()
		if seen[rule] {
			fmt.Fprintln(w, "#   as above")
			continue
		}
		seen[rule] = true
		keys := map[string]bool{}
		for _, g := range s.grants {
			if !keys[g.Key] {
				fmt.Fprintf(w, "  # %s: %s\n", g.Key, explain.WiseGrant(g))
			}
			keys[g.Key] = true
		}
		fmt.Fprint(w, rule)
	}
}

func (s suggestion) words() string {
	switch {
	case len(s.grants) == 0 && len(s.stays) == 0:
		return "it has all that it asked for under " + s.d.Profile
	case len(s.grants) == 0:
		return "no policy gives it more than " + s.d.Profile
	case s.tried:
		return "tried: it has what it asked for, except for what stays"
	}
	return "from the audit log, not tried: the request is gone"
}

package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/door"
	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// judged are requests as complain mode judges them, by a learned profile.
type judged struct {
	policy *policy.Policy
	lines  []string // in the order of the requests, each once
	// refused is true where the profile refuses one.
	refused bool
}

// requestsMost bounds the lines, against a command that starts ever other containers.
const requestsMost = 1000

// judgeRequests judges by a profile, with all else as the policy in force has it.
func (o *options) judgeRequests(p *learning.Profile) (*judged, error) {
	text, err := p.Policy()
	if err != nil {
		return nil, err
	}
	inForce, err := o.policy()
	if err != nil {
		return nil, err
	}
	pol, err := inForce.Before("learned", text)
	if err != nil {
		return nil, err
	}
	pol.Mode, pol.Profile, pol.Rules, pol.Offers = policy.Complain, p.Name, nil, nil
	return &judged{policy: pol}, nil
}

// judge judges what was asked for a container. A change that the policy in force has
// made too is not told.
func (j *judged) judge(e decision.Entry, raw []byte) {
	d, err := door.DryRunOf(j.policy, raw, e.ID, e.Record.Decision.Bundle)
	if err != nil {
		j.add("its request could not be judged: %v", err)
		j.refused = true
		return
	}
	if d.Failure != "" {
		j.add("its request could not be judged: %s", d.Failure)
		j.refused = true
	}
	for _, r := range d.Refusals {
		j.add("refuses %s: %s", r.Field, r.Reason)
		j.refused = true
	}
	in := e.Record.Decision
	again := func(c control.Attributed) bool {
		return in.Outcome != decision.Complained && slices.ContainsFunc(in.Changes, func(o control.Attributed) bool { return o.Field == c.Field && o.After == c.After })
	}
	j.tighter(slices.DeleteFunc(d.Changes, again))
}

// tighter tells what would change. Many changes of one field, as masked paths are, are
// told by their number.
func (j *judged) tighter(changes []control.Attributed) {
	const many = 4
	of := map[string]int{}
	for _, c := range changes {
		of[c.Field]++
	}
	for _, c := range changes {
		if of[c.Field] >= many {
			j.add("tightens %s in %d places", c.Field, of[c.Field])
			continue
		}
		j.add("tightens %s: %s becomes %s", c.Field, short(c.Before), short(c.After))
	}
}

func (j *judged) add(format string, args ...any) {
	line := harmless(fmt.Sprintf(format, args...))
	if len(j.lines) < requestsMost && !slices.Contains(j.lines, line) {
		j.lines = append(j.lines, line)
	}
}

// short is a value of a request for a line of its own.
func short(value string) string {
	const most = 80
	switch {
	case value == "":
		return "nothing"
	case len(value) > most:
		return value[:most] + "..."
	}
	return value
}

// tell says whether one was refused.
func (j *judged) tell(out io.Writer) bool {
	if j == nil {
		return false
	}
	for _, line := range j.lines {
		fmt.Fprintln(out, line)
	}
	return j.refused
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/door"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/why"
	"github.com/hatchdog/hatchdog/profiles/syscalls/numbers"
)

// subject is the container that is asked about.
type subject struct {
	o     *options
	d     decision.Decision // of its create
	entry *decision.Entry   // nil where its record is gone
	c     why.Container
	init  lowlevel.Init
	net   int // its network namespace, -1 where it has none to be asked
	notes []string
	names map[int]string // of system calls
}

func (s *subject) close() {
	if s.net >= 0 {
		firewall.Close(s.net)
	}
}

// subject gathers what is known of a container: its record and what the low-level
// runtime keeps, or what the audit log has of it.
func (o *options) subject(name string, w whyOptions) (*subject, error) {
	s := &subject{o: o, net: -1, names: numbers.Names(runtime.GOARCH)}
	if w.user != "" {
		user, err := parseUser(w.user)
		if err != nil {
			return nil, err
		}
		s.c.User = user
	}
	found, err := o.find(name)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, o.several(name, found)
	}
	if len(found) == 1 && found[0].Record != nil {
		return s, s.living(found[0])
	}
	logged, err := o.lookUp(name)
	if err != nil {
		return nil, err
	}
	s.gone(name, logged)
	return s, nil
}

func (s *subject) living(e decision.Entry) error {
	s.entry, s.d = &e, e.Record.Decision
	s.c.Prevent, s.c.PreventBy = e.Record.Prevent, e.Record.PreventBy
	s.c.Changes, s.c.Profile, s.c.Held = s.d.Changes, e.Record.Ceiling, s.d.Outcome != decision.Complained
	original, err := s.o.store().Original(e.Root, e.ID)
	if err != nil {
		return err
	}
	s.c.Asked = &specs.Spec{}
	if err := json.Unmarshal(original, s.c.Asked); err != nil {
		return fmt.Errorf("the request of %s: %w", e.ID, err)
	}
	if s.c.Given, err = lowlevel.FindGiven(e.Root, e.ID); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.c.Given = nil
		s.notes = append(s.notes, "the low-level runtime keeps nothing of it")
	}
	if s.init, err = lowlevel.FindInit(e.Root, e.ID); err != nil {
		s.notes = append(s.notes, "it does not run")
		return nil
	}
	s.c.Process, err = inside.ReadProcess(s.init)
	if errors.Is(err, inside.ErrGone) {
		s.notes = append(s.notes, "it does not run")
		return nil
	}
	if err != nil {
		return err
	}
	return s.openNetwork()
}

// openNetwork opens the network of the first process, which may be the host's.
func (s *subject) openNetwork() error {
	path := fmt.Sprintf("/proc/%d/ns/net", s.init.Pid)
	fd, err := firewall.Open(path, host.FileID{})
	if errors.Is(err, firewall.ErrHost) {
		s.notes = append(s.notes, "it shares the host's network, where hatchdog has no rules")
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err == nil && s.init.Alive() {
		s.net = fd
		return nil
	}
	if err == nil { // of another process, perhaps, that has the pid now
		firewall.Close(fd)
	} else if s.init.Alive() {
		return err
	}
	s.c.Process = nil
	s.notes = append(s.notes, "it does not run")
	return nil
}

// gone knows what the audit log has.
func (s *subject) gone(name string, logged []decision.Decision) {
	for _, d := range logged {
		if s.d.ID == "" || isCreate(d.Door) {
			s.d = d
		}
	}
	s.c.Changes, s.c.Held = s.d.Changes, s.d.Outcome != decision.Complained
	if s.d.Outcome == decision.Refused {
		s.notes = append(s.notes, "it was refused: 'hatchctl why "+name+"' says by what")
	} else {
		s.notes = append(s.notes, "it is gone: what is said is from the audit log")
	}
	if s.d.Cut != nil {
		s.notes = append(s.notes, "its request was too large to be kept whole")
	}
	pol, err := s.o.policy()
	if err != nil || pol.Digest != s.d.Policy {
		s.notes = append(s.notes, "the policy is another one since")
		return
	}
	if res, err := pol.Resolve(s.d.Workload); err == nil {
		s.c.Profile = res.Profile
	}
}

// ruled is true where the network has the rules of the container's profile.
func (s *subject) ruled() bool {
	if s.entry == nil || s.c.Profile == nil || !s.c.Held {
		return false
	}
	kind := s.entry.Record.Network.Kind
	return kind == plan.NetworkStart || kind == plan.NetworkHooked || kind == plan.NetworkJoined
}

// suggest adds the policy that lifts a finding, where one does: it is tried against
// the request first, and not printed where it changes nothing. Another control may
// refuse, or take, what one key admits: then its grants are added.
func (s *subject) suggest(f *why.Finding) {
	if f.Verdict != why.Hatchdog || len(f.Grants) == 0 || f.Lifted == nil || s.entry == nil {
		return
	}
	pol, err := s.o.policy()
	if err != nil {
		return
	}
	first := f.Grants
	for n := 1; n < len(first); n++ { // fewer may do
		if _, ok := s.tried(pol, f, first[:n]); ok {
			return
		}
	}
	for range suggestRounds {
		d, ok := s.tried(pol, f, f.Grants)
		if ok {
			return
		}
		more := control.Union(f.Grants, stillDenied(d, first)...)
		if len(more) == len(f.Grants) {
			break
		}
		f.Grants = more
	}
	f.Evidence = append(f.Evidence, "no key of a profile lets it through ("+strings.Join(grantKeys(first), ", ")+" was tried)")
}

// tried is true where grants lift a finding: then it has the policy.
func (s *subject) tried(pol *policy.Policy, f *why.Finding, grants []control.Grant) (decision.Decision, bool) {
	d, profile, err := s.judged(pol, grants)
	if err != nil || len(d.Refusals) > 0 || d.Failure != "" || !f.Lifted(d.Changes, profile) {
		return d, false
	}
	f.Grants = grants
	f.Allow, f.Gain = explain.Policy(s.d.Workload, s.d.Profile, s.d.Rule, grants), gain(*f)
	return d, true
}

// stillDenied are the grants for what still stands in the way of the first ones.
func stillDenied(d decision.Decision, first []control.Grant) []control.Grant {
	var all []control.Grant
	for _, r := range d.Refusals {
		all = control.Union(all, r.Grants...)
	}
	for _, c := range d.Changes {
		if slices.ContainsFunc(first, func(g control.Grant) bool { return g.List && takes(c, g.Value) }) {
			all = control.Union(all, explain.Asked([]control.Attributed{c})...)
		}
	}
	return all
}

// judged is what a create of the container would lead to with more granted.
func (s *subject) judged(pol *policy.Policy, grants []control.Grant) (d decision.Decision, p *policy.Profile, err error) {
	with, err := pol.Before("suggestion", []byte(explain.Policy(s.d.Workload, s.d.Profile, s.d.Rule, grants)))
	if err != nil {
		return d, nil, err
	}
	original, err := s.o.store().Original(s.entry.Root, s.entry.ID)
	if err != nil {
		return d, nil, err
	}
	if d, err = door.DryRunOf(with, original, s.entry.ID, s.d.Bundle); err != nil {
		return d, nil, err
	}
	res, err := with.Resolve(s.d.Workload)
	if err != nil {
		return d, nil, err
	}
	return d, res.Profile, nil
}

// takes is true for a change that takes a value out of a list.
func takes(c control.Attributed, value string) bool {
	return slices.Contains(explain.Items(c.Before), value) && !slices.Contains(explain.Items(c.After), value)
}

func grantKeys(grants []control.Grant) []string {
	var keys []string
	for _, g := range grants {
		if !slices.Contains(keys, g.Key) {
			keys = append(keys, g.Key)
		}
	}
	return keys
}

package door

import (
	"errors"
	"fmt"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// further is an exec or update in a container that is there.
type further struct {
	w        World
	call     *argv.Call
	rec      *decision.Record
	decision decision.Decision
	path     string // of the low-level runtime
	dir      string // of the record
}

// further finds what the container is held to.
func (w World) further(call *argv.Call) (*further, error) {
	if err := decision.CheckID(call.ID); err != nil {
		return nil, err
	}
	store, root, _, err := w.place(call)
	if err != nil {
		return nil, err
	}
	f := &further{w: w, call: call, dir: store.Dir(root, call.ID)}
	f.rec, err = store.Load(root, call.ID)
	if errors.Is(err, decision.ErrNoRecord) {
		f.rec, err = w.unrecorded(root, call.ID)
	}
	if err != nil {
		return nil, err
	}
	if f.rec.Ceiling == nil && f.rec.Decision.Mode != policy.Complain {
		return nil, errNoCeiling
	}
	c := f.rec.Decision
	f.path = c.Runtime.Path
	f.decision = decision.Decision{
		Time: w.Now(), Door: call.Verb, ID: call.ID, Root: root, Bundle: c.Bundle, Mode: c.Mode, Profile: c.Profile, Rule: c.Rule,
		Policy: c.Policy, Workload: c.Workload, Runtime: c.Runtime,
	}
	return f, nil
}

var (
	errNoCeiling = errors.New("the record of the container does not say what it is held to")
	errRewritten = errors.New("config.json of the container is not the one that hatchdog wrote")
)

// unrecorded is what a container is held to that hatchdog did not create.
func (w World) unrecorded(root, id string) (*decision.Record, error) {
	pol, err := policy.Load(w.Getenv)
	if err != nil {
		return nil, err
	}
	if pol.Unrecorded != policy.UnrecordedProfile {
		r := &control.Refusal{
			Control: "record", Field: "container", Reason: "hatchdog did not create it, so nobody knows what it may have",
			Policy: "unrecorded: refuse", Remedy: "create it anew with --runtime=hatchdog",
		}
		return nil, &refused{[]*control.Refusal{r.Granting(control.Grant{Key: "unrecorded", Value: string(policy.UnrecordedProfile), Top: true})}}
	}
	dir, err := lowlevel.Bundle(root, id)
	if err != nil {
		return nil, err
	}
	b, err := bundle.Open(dir)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	path, rt, err := findRuntime(pol, w)
	if err != nil {
		return nil, err
	}
	doc, err := bundle.Decode[specs.Spec](b.Raw()) // what runs, not what was asked for
	if err != nil {
		return nil, err
	}
	who := workload.Identify(doc.Value, id, b.Dir())
	res, err := pol.Resolve(who)
	if err != nil {
		return nil, err
	}
	facts, sources, err := host.Probe(host.Request{Spec: &specs.Spec{}, Profile: res.Profile, Bundle: b.Dir(), Runtime: rt})
	if err != nil {
		return nil, err
	}
	sources.Close()
	return &decision.Record{
		Decision: decision.Decision{
			Mode: pol.Mode, Profile: res.Profile.Name, Rule: res.Rule, Policy: pol.Digest, Workload: who, Bundle: b.Dir(),
			SpecOut: digest(doc.Raw), Runtime: decision.Runtime{Path: path, Name: rt.Name, Version: rt.Version},
		},
		Ceiling: res.Profile.HeldTo(doc.Value), Labels: labels(doc.Value.Process), Audit: pol.Audit, Cgroup: facts.Cgroup,
	}, nil
}

// finish logs the decision and hands over with the command line as it is to be.
func (f *further) finish(args []string) error {
	d := &f.decision
	complain := d.Mode == policy.Complain
	switch {
	case complain:
		d.Outcome, args = decision.Complained, f.call.Argv
	case len(d.Refusals) > 0:
		d.Outcome = decision.Refused
	case len(d.Changes) > 0:
		d.Outcome = decision.Tightened
	default:
		d.Outcome = decision.Unchanged
	}
	if err := appendAudit(f.w, f.rec.Audit, d); err != nil && !complain {
		return err
	}
	if d.Outcome == decision.Refused {
		return &refused{d.Refusals}
	}
	if err := step("audited"); err != nil {
		return err
	}
	return lowlevel.Exec(f.path, args, f.w.Environ)
}

// failed logs a call that was not handed over for want of a decision.
func (f *further) failed(err error) error {
	f.decision.Outcome, f.decision.Failure = decision.Refused, err.Error()
	if f.decision.Mode == policy.Complain {
		f.decision.Outcome = decision.Complained
		_ = appendAudit(f.w, f.rec.Audit, &f.decision) // what cannot be logged is told below
		fmt.Fprintln(f.w.Stderr, oneLine(fmt.Errorf("complain mode, handed over as asked: %w", err), f.call))
		return lowlevel.Exec(f.path, f.call.Argv, f.w.Environ)
	}
	if aerr := appendAudit(f.w, f.rec.Audit, &f.decision); aerr != nil {
		return errors.Join(err, aerr)
	}
	return err
}

// sameSpec refuses a bundle that was rewritten since create: exec with flags
// takes the process from there.
func (f *further) sameSpec() error {
	raw, err := bundle.ReadFile(filepath.Join(f.rec.Decision.Bundle, bundle.Config))
	if err != nil {
		return err
	}
	if digest(raw) != f.rec.Decision.SpecOut {
		return errRewritten
	}
	return nil
}

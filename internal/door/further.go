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
	user     uint32 // of a further process
}

// hold takes what is asked of a container that is there through the phases:
// further identifies it, judge decides, proves and returns the command line for
// the low-level runtime, ready does what the host owes what is not refused, and
// finish commits and hands over. watch is judge where the policy only complains.
func (w World) hold(call *argv.Call, judge, watch func(*further) ([]string, error), ready func(*further) error) error {
	f, err := w.further(call)
	if err != nil {
		return err
	}
	if f.decision.Mode == policy.Complain {
		return f.watched(func() ([]string, error) { return watch(f) })
	}
	if err := errors.Join(checkSpelling(call, f.rec.Decision.Runtime.Name), w.steadyNames(call)); err != nil {
		return f.failed(in("identify", err))
	}
	args, err := judge(f)
	if err != nil {
		return f.failed(in("judge", err))
	}
	if len(f.decision.Refusals) > 0 { // what is refused changes nothing of the caller's
		return f.finish(args)
	}
	if err := ready(f); err != nil {
		return f.failed(in("prove", err))
	}
	return f.finish(args)
}

// further finds what the container is held to. Where nobody can say, complain
// mode goes on without.
func (w World) further(call *argv.Call) (*further, error) {
	f, err := w.heldTo(call)
	if err != nil {
		return w.unheld(call, err)
	}
	return f, nil
}

func (w World) heldTo(call *argv.Call) (*further, error) {
	if err := decision.CheckID(call.ID); err != nil {
		return nil, err
	}
	store, root, places, err := w.place(call)
	if err != nil {
		return nil, err
	}
	f := &further{w: w, call: call, dir: store.Dir(root, call.ID)}
	f.rec, err = store.Load(root, call.ID)
	if errors.Is(err, decision.ErrNoRecord) {
		if !decision.Live(root, call.ID) {
			return nil, errGone
		}
		f.rec, err = w.unrecorded(root, call.ID)
	}
	if err != nil {
		return nil, err
	}
	if f.path = f.rec.Decision.Runtime.Path; f.path == "" {
		if f.path, err = w.creatorOf(store, root, call.ID, places.Runtime); err != nil {
			return nil, err
		}
	}
	if f.rec.Ceiling == nil && f.rec.Decision.Mode != policy.Complain {
		return nil, errNoCeiling
	}
	c := f.rec.Decision
	f.decision = decision.Decision{
		Time: w.Now(), Door: call.Verb, ID: call.ID, Root: root, Bundle: c.Bundle, Mode: c.Mode, Profile: c.Profile, Rule: c.Rule,
		Policy: c.Policy, Workload: c.Workload, Runtime: c.Runtime,
	}
	return f, nil
}

var (
	errNoCeiling = errors.New("the record of the container does not say what it is held to")
	errNoProcess = errors.New("config.json of the container has no process")
	// errGone is runc's own word (libcontainer/error.go), which engines look for.
	errGone      = errors.New("container does not exist")
	errRewritten = errors.New("config.json of the container is not the one that hatchdog wrote")
)

// goneCode is runc's exit code where it cannot run the process (exec.go).
const goneCode = 255

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
		return nil, &refused{refusals: []*control.Refusal{r.Granting(control.Grant{Key: "unrecorded", Value: string(policy.UnrecordedProfile), Top: true})}}
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
	if !b.Steady() {
		return nil, fmt.Errorf("bundle %s: %w", dir, bundle.ErrUnsteady)
	}
	path, rt, err := findRuntime(pol, w)
	if err != nil {
		return nil, err
	}
	doc := b.Document()
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
	switch {
	case len(d.Refusals) > 0:
		d.Outcome = decision.Refused
	case len(d.Changes) > 0:
		d.Outcome = decision.Tightened
	default:
		d.Outcome = decision.Unchanged
	}
	if err := appendAudit(f.w, f.rec.Audit, d); err != nil {
		return err
	}
	if d.Outcome == decision.Refused {
		return &refused{d.Refusals, d.Workload}
	}
	if err := f.w.at("audited"); err != nil {
		return err
	}
	return lowlevel.Exec(f.path, args, f.w.Environ)
}

// failed logs a call that was not handed over for lack of a decision.
func (f *further) failed(err error) error {
	f.decision.Outcome, f.decision.Failure = decision.Refused, err.Error()
	if aerr := appendAudit(f.w, f.rec.Audit, &f.decision); aerr != nil {
		return errors.Join(err, aerr)
	}
	return err
}

// ownProcess is the process of the container's spec as the low-level runtime got
// it. Where the record does not have it, because hatchdog did not create the
// container, it is the bundle's, if nobody rewrote that.
func (f *further) ownProcess() (*specs.Process, error) {
	p, err := decision.Process(f.dir)
	if !errors.Is(err, decision.ErrNoRecord) {
		return p, err
	}
	raw, err := bundle.ReadFile(filepath.Join(f.rec.Decision.Bundle, bundle.Config))
	if err != nil {
		return nil, err
	}
	if digest(raw) != f.rec.Decision.SpecOut {
		return nil, errRewritten
	}
	doc, err := bundle.Decode[specs.Spec](raw)
	if err != nil {
		return nil, err
	}
	if doc.Value.Process == nil {
		return nil, errNoProcess
	}
	return doc.Value.Process, nil
}

package door

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// creation is one create, run or restore under way.
type creation struct {
	w     World
	call  *argv.Call
	root  string
	pol   *policy.Policy
	store decision.Store

	judged   *judgement
	claim    *decision.Claim
	acquired *effects.Acquired
	firewall *firewall.Installed
	argv     []string // for the low-level runtime
	started  bool     // the hand-over itself failed
}

// create holds config.json to the policy and hands over to the low-level
// runtime. It returns only when it did not.
func (w World) create(call *argv.Call) error {
	lowlevel.Hasten()
	pol, err := policy.Load(w.Getenv)
	if err != nil {
		return err
	}
	if pol.Mode == policy.Complain {
		return w.complain(call, pol)
	}
	if err := decision.CheckID(call.ID); err != nil {
		return err
	}
	root, err := decision.ResolveRoot(call.Global.Root)
	if err != nil {
		return err
	}
	c := &creation{w: w, call: call, root: root, pol: pol, store: decision.Store{Base: pol.StateDir}}
	runtime, err := c.tighten()
	if err == nil {
		c.started = true
		err = lowlevel.Exec(runtime, c.argv, w.Environ)
	}
	return errors.Join(err, c.undo(err))
}

// tighten does all that comes before the hand-over and returns the path of the
// low-level runtime, which it knows before anything else can fail.
func (c *creation) tighten() (string, error) {
	path, runtime, err := findRuntime(c.pol, c.w)
	if err != nil {
		return path, err
	}
	if err := checkSpelling(c.call, runtime.Name); err != nil {
		return path, err
	}
	if c.claim, err = c.store.Claim(c.root, c.call.ID); err != nil {
		return path, err
	}
	b, err := bundle.Open(bundleDir(c.call))
	if err != nil {
		return path, err
	}
	defer b.Close()
	r := &request{
		door: c.call.Verb, id: c.call.ID, root: c.root, dir: b.Dir(), record: c.claim.Dir(), doc: b.Document(),
		pol: c.pol, runtime: runtime, call: c.call, now: c.w.Now(), holder: c.holder(), step: c.w.at,
	}
	if c.judged, err = judge(r); err != nil {
		return path, err
	}
	defer c.judged.sources.Close()
	if err := c.w.at("judged"); err != nil {
		return path, err
	}
	if err := c.confine(r); err != nil {
		return path, err
	}
	o := others{c.store, c.claim.Dir(), c.judged.decision.Workload, b.Dir(), c.judged.profile}
	c.judged.decision.Refusals = append(c.judged.decision.Refusals, o.refusals(b.Document().Value, c.judged.facts)...)
	if len(c.judged.decision.Refusals) > 0 {
		return path, &refused{c.judged.decision.Refusals, c.judged.decision.Workload}
	}
	after, err := c.acquire(b.Document())
	if err != nil {
		return path, err
	}
	if err := c.keep(b.Document().Raw, after); err != nil {
		return path, err
	}
	if err := c.w.at("kept"); err != nil {
		return path, err
	}
	if err := c.write(b, after.Raw); err != nil {
		return path, err
	}
	return path, c.w.at("written")
}

// holder is who ids are set aside for.
func (c *creation) holder() *idrange.Holder {
	return &idrange.Holder{Root: c.root, ID: c.call.ID, Creator: c.store.Holder(c.root, c.call.ID), Record: c.claim.Dir()}
}

// acquire does the host work, and proves the document that will be written.
func (c *creation) acquire(before *bundle.Document[specs.Spec]) (*bundle.Document[specs.Spec], error) {
	var err error
	c.acquired, err = effects.Acquire(effects.Request{
		Spec: c.judged.after, Facts: c.judged.facts, Sources: c.judged.sources, Volumes: c.judged.profile.UserNS.Volumes,
		StateDir: c.pol.StateDir, IDs: c.judged.ids, Step: c.w.at,
	})
	if err != nil {
		return nil, err
	}
	if r := c.acquired.Root; r != nil && r.NoSuid {
		c.judged.decision.Notes = append(c.judged.decision.Notes, noteNoSuid)
	}
	if err := c.holdNetwork(); err != nil {
		return nil, err
	}
	if err := c.w.at("acquired"); err != nil {
		return nil, err
	}
	after, err := before.With(c.judged.after)
	if err != nil {
		return nil, err
	}
	if err := guard.Check(before.Raw, after.Raw, evidence(c.acquired, c.judged.facts)); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return after, nil
}

// noteNoSuid says what a reader may miss in the container.
const noteNoSuid = "the root file system is mounted nosuid: under noNewPrivileges setuid programs and file capabilities give nothing, and a program with capabilities on its file starts without them"

// keep writes the audit log and the record, in this order: what runs is always
// in the log.
func (c *creation) keep(original []byte, after *bundle.Document[specs.Spec]) error {
	d := &c.judged.decision
	d.SpecIn, d.SpecOut = digest(original), digest(after.Raw)
	c.settle()
	if err := c.log(); err != nil {
		return err
	}
	if err := c.w.at("audited"); err != nil {
		return err
	}
	rec := &decision.Record{
		Decision: *d, Ceiling: c.judged.profile.HeldTo(after.Value), Labels: labels(c.judged.after.Process), Audit: c.pol.Audit, Cgroup: c.judged.facts.Cgroup,
		IDs: c.judged.ids,
	}
	if !rec.IDs.Empty() {
		rec.IDsDir, rec.RootFS = c.pol.IDs.Dir, c.judged.facts.UserNS.Root.Path
	}
	rec.Network = c.judged.network
	if err := c.claim.KeepProcess(after.Value.Process); err != nil {
		return err
	}
	if err := c.own(); err != nil {
		return err
	}
	return c.claim.Commit(rec, original)
}

// settle sets the outcome from what was found.
func (c *creation) settle() {
	d := &c.judged.decision
	switch {
	case len(d.Refusals) > 0:
		d.Outcome = decision.Refused
	case d.SpecIn != d.SpecOut:
		d.Outcome = decision.Tightened
	default:
		d.Outcome = decision.Unchanged
	}
}

// log appends the decision to the audit log. What a log that cannot be written
// means is the policy's choice; it is never silent.
func (c *creation) log() error {
	return appendAudit(c.w, c.pol.Audit, &c.judged.decision)
}

// logDecision appends a decision of bounded size. A workload that is refused
// again and again gets fewer lines than refusals.
func logDecision(cfg policy.Audit, d *decision.Decision, now time.Time) error {
	bounded := d.Bounded(decision.MaxLogged)
	if d.Outcome == decision.Refused {
		return audit.AppendRefusal(cfg, bounded.Workload.Name(), bounded, now)
	}
	return audit.Append(cfg, bounded, now)
}

func appendAudit(w World, cfg policy.Audit, d *decision.Decision) error {
	err := logDecision(cfg, d, w.Now())
	if err == nil {
		return nil
	}
	if cfg.OnFailure == policy.FailContinue {
		d.Notes = append(d.Notes, "the audit log could not be written: "+err.Error())
		fmt.Fprintln(w.Stderr, "hatchdog: the audit log could not be written:", flat(err))
		return nil
	}
	return fmt.Errorf("audit log (policy audit.onFailure: refuse): %w", err)
}

// failed is the decision on a call that did not come to one.
func (c *creation) failed(err error) *decision.Decision {
	d := &decision.Decision{Door: c.call.Verb, ID: c.call.ID, Root: c.root, Mode: c.pol.Mode, Policy: c.pol.Digest, Time: c.w.Now()}
	if c.judged != nil {
		d = &c.judged.decision
	}
	d.Outcome = decision.Refused
	var r *refused
	if !errors.As(err, &r) {
		d.Failure = err.Error()
	}
	return d
}

// undo gives back what was taken and logs that nothing was started. An id that
// another create holds is not ours to give back.
func (c *creation) undo(err error) error {
	var errs []error
	// In a namespace that is shared another container may rely on them by now:
	// there they stay, and only narrow.
	if c.judged == nil || c.judged.network.Kind != plan.NetworkJoined {
		errs = append(errs, c.firewall.Undo())
	}
	if c.acquired != nil {
		errs = append(errs, c.acquired.Undo())
	}
	if c.claim != nil {
		creator := c.store.Holder(c.root, c.call.ID)
		errs = append(errs, c.claim.Abandon(), freeIDs(c.pol.IDs.Dir, c.root, c.call.ID, creator))
	}
	if aerr := logDecision(c.pol.Audit, c.failed(err), c.w.Now()); aerr != nil {
		errs = append(errs, fmt.Errorf("audit log: %w", aerr))
	}
	return errors.Join(errs...)
}

func bundleDir(call *argv.Call) string {
	if call.Bundle == "" {
		return "."
	}
	return call.Bundle
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func labels(p *specs.Process) decision.Labels {
	if p == nil {
		return decision.Labels{}
	}
	return decision.Labels{Apparmor: p.ApparmorProfile, SELinux: p.SelinuxLabel}
}

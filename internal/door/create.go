package door

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// creation is one create, run or restore under way. It goes through phases, each
// of which takes what the last one found:
//
//	identify  who asks for what, of which low-level runtime   asked
//	judge     what the policy makes of it                     judged
//	prove     the work on the host, and the guard             proven
//	commit    the audit log, the record, the document         committed
//	hand over the low-level runtime takes this process's place
//
// Complain mode identifies and judges, commits what it saw, and hands over what
// was asked for.
type creation struct {
	w     World
	call  *argv.Call
	root  string
	pol   *policy.Policy
	store decision.Store

	claim *decision.Claim    // nil until the id is this process's
	known *decision.Decision // what was decided so far; nil is nothing
	undos []func() error     // of what was taken, in its order
}

// create holds config.json to the policy and hands over to the low-level
// runtime. It returns only when it did not.
func (w World) create(call *argv.Call) error {
	if err := w.at("read"); err != nil {
		return err
	}
	defer collectLess()()
	lowlevel.Hasten()
	pol, err := policy.Load(w.Getenv)
	if err != nil {
		return err
	}
	if err := w.at("policy"); err != nil {
		return err
	}
	if pol.Mode == policy.Complain {
		return w.complain(call, pol)
	}
	c := &creation{w: w, call: call, pol: pol, store: decision.Store{Base: pol.StateDir}}
	if err := c.locate(); err != nil {
		return err
	}
	done, err := c.enforce()
	if err == nil {
		err = done.handOver()
	}
	if c.known != nil {
		err = &about{c.known.Workload, err}
	}
	return errors.Join(err, c.undo(err))
}

// collectLess has the collector of memory wait until there is five times as much as
// is in use, and returns what undoes that. The process ends soon, and with a large
// spec the collector ran for longer than what it ran beside.
func collectLess() func() {
	const percent = 400
	was := debug.SetGCPercent(percent)
	return func() { debug.SetGCPercent(was) }
}

// locate finds where the low-level runtime keeps the container.
func (c *creation) locate() (err error) {
	if err = decision.CheckID(c.call.ID); err != nil {
		return err
	}
	c.root, err = decision.ResolveRoot(c.call.Global.Root)
	return err
}

// enforce does all that comes before the hand-over.
func (c *creation) enforce() (*committed, error) {
	a, err := c.identify(findRuntime(c.pol, c.w))
	if err != nil {
		return nil, in("identify", err)
	}
	defer a.bundle.Close()
	if err := c.w.at("asked"); err != nil {
		return nil, in("identify", err)
	}
	j, err := a.judge()
	if err != nil {
		return nil, in("judge", err)
	}
	defer j.sources.Close()
	p, err := j.prove()
	if err != nil {
		return nil, in("prove", err)
	}
	done, err := p.commit()
	return done, in("commit", err)
}

// in names the phase that failed. A refusal says itself what it is about.
func in(phase string, err error) error {
	var r *refused
	if err == nil || errors.As(err, &r) {
		return err
	}
	return fmt.Errorf("%s: %w", phase, err)
}

// taken notes how to give back what was taken.
func (c *creation) taken(giveBack func() error) { c.undos = append(c.undos, giveBack) }

// undo gives back what was taken and logs that nothing was started.
func (c *creation) undo(err error) error {
	var errs []error
	for i := range c.undos {
		errs = append(errs, c.undos[len(c.undos)-1-i]())
	}
	if aerr := logDecision(c.pol.Audit, c.failed(err), c.w.Now()); aerr != nil {
		errs = append(errs, fmt.Errorf("audit log: %w", aerr))
	}
	return errors.Join(errs...)
}

// failed is the decision on a call that did not come to one.
func (c *creation) failed(err error) *decision.Decision {
	d := c.known
	if d == nil {
		d = &decision.Decision{Door: c.call.Verb, ID: c.call.ID, Root: c.root, Mode: c.pol.Mode, Policy: c.pol.Digest, Time: c.w.Now()}
	}
	d.Outcome = decision.Refused
	if a := (*about)(nil); c.known == nil && errors.As(err, &a) {
		d.Workload = a.who
	}
	var r *refused
	if !errors.As(err, &r) {
		d.Failure = err.Error()
	}
	return d
}

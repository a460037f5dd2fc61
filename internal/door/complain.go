package door

import (
	"errors"
	"fmt"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// complain hands a create, run or restore over as it came, and records what
// enforce mode would have made of it. Nothing that goes wrong on the way stops
// it, and nothing is said on the standard streams, which may be the
// container's. It returns only when there is no low-level runtime to start.
func (w World) complain(call *argv.Call, pol *policy.Policy) error {
	path, runtime, err := findRuntime(pol, w)
	if path == "" {
		return err
	}
	c := &creation{w: w, call: call, pol: pol, store: decision.Store{Base: pol.StateDir}}
	err = guarded(func() error { return c.watch(path, runtime, err) })
	// An id that is another create's has a record, which is not ours to touch.
	if err != nil && !errors.Is(err, decision.ErrExists) && !errors.Is(err, decision.ErrBusy) {
		_ = guarded(func() error { return c.note(path, err) })
	}
	return lowlevel.Exec(path, call.Argv, w.Environ)
}

var errPanic = errors.New("an error of hatchdog itself")

// guarded keeps what fails in f, however it does, from failing the call.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return f()
}

// watch identifies and judges as enforce mode does, up to where that would take
// from the host, and commits what it saw. found is what is wrong with the
// low-level runtime.
func (c *creation) watch(path string, runtime host.Runtime, found error) error {
	if err := c.locate(); err != nil {
		return err
	}
	a, err := c.identify(path, runtime, found)
	if err != nil {
		return err
	}
	defer a.bundle.Close()
	j, err := judge(a.request())
	if err != nil {
		return err
	}
	defer j.sources.Close()
	c.known = &j.decision
	if err := c.w.at("judged"); err != nil {
		return err
	}
	return a.saw(j)
}

// saw commits what enforce mode would have made of the request.
func (a *asked) saw(j *judgement) error {
	d, doc := &j.decision, a.bundle.Document()
	d.Outcome, d.SpecIn = decision.Complained, digest(doc.Raw)
	d.SpecOut = d.SpecIn
	logWatched(a.w, a.pol.Audit, d)
	if err := a.w.at("audited"); err != nil {
		return err
	}
	if err := a.claim.KeepProcess(doc.Value.Process); err != nil {
		return err
	}
	rec := &decision.Record{
		Decision: *d, Ceiling: j.profile, Labels: labels(j.after.Process), Audit: a.pol.Audit, Cgroup: j.facts.Cgroup,
	}
	if err := a.claim.Commit(rec, doc.Raw); err != nil {
		return err
	}
	return a.w.at("kept")
}

// note records a create that could not be judged.
func (c *creation) note(path string, failure error) error {
	d := c.failed(failure)
	d.Outcome, d.Runtime.Path = decision.Complained, path
	logWatched(c.w, c.pol.Audit, d)
	c.w.warn(c.call, failure)
	if c.claim == nil {
		return nil
	}
	return c.claim.Commit(&decision.Record{Decision: *d, Audit: c.pol.Audit}, nil)
}

// warn tells the engine's log, where that is a file of its own.
func (w World) warn(call *argv.Call, failure error) {
	if call.Global.Log == "" {
		return
	}
	msg := oneLine(fmt.Errorf("complain mode, handed over as asked: %w", failure), call)
	_ = lowlevel.Warn(call.Global.Log, call.Global.LogFormat, msg, w.Now())
}

// unread hands a command line over that hatchdog cannot read or does not hold,
// where the policy only complains. It returns failure where the policy
// enforces.
func (w World) unread(call *argv.Call, failure error) error {
	pol, err := policy.Load(w.Getenv)
	if err != nil || pol.Mode != policy.Complain {
		return failure
	}
	path, err := w.runtimeOf(call)
	if path == "" {
		return errors.Join(failure, err)
	}
	_ = guarded(func() error {
		logWatched(w, pol.Audit, &decision.Decision{
			Time: w.Now(), Door: call.Verb, ID: call.ID, Root: call.Global.Root, Mode: pol.Mode, Policy: pol.Digest,
			Outcome: decision.Complained, Runtime: decision.Runtime{Path: path}, Failure: failure.Error(),
		})
		w.warn(call, failure)
		return nil
	})
	return lowlevel.Exec(path, call.Argv, w.Environ)
}

// unheld is an exec or update that complain mode lets go on although nobody
// knows what its container is held to.
func (w World) unheld(call *argv.Call, failure error) (*further, error) {
	pol, err := policy.Load(w.Getenv)
	if err != nil || pol.Mode != policy.Complain {
		return nil, failure
	}
	path, err := w.runtimeOf(call)
	if path == "" {
		return nil, errors.Join(failure, err)
	}
	f := &further{w: w, call: call, path: path, rec: &decision.Record{Audit: pol.Audit}}
	f.decision = decision.Decision{
		Time: w.Now(), Door: call.Verb, ID: call.ID, Root: call.Global.Root, Mode: pol.Mode, Policy: pol.Digest,
		Runtime: decision.Runtime{Path: path}, Failure: failure.Error(),
	}
	return f, nil
}

// watched hands an exec or update over as it came. judge may say what command
// line stands for the same: one that names a copy of what could be read only
// once.
func (f *further) watched(judge func() ([]string, error)) error {
	args := f.call.Argv
	err := guarded(func() error {
		same, err := judge()
		if same != nil {
			args = same
		}
		return err
	})
	d := &f.decision
	d.Outcome = decision.Complained
	if err != nil {
		d.Failure = err.Error()
	}
	_ = guarded(func() error {
		logWatched(f.w, f.rec.Audit, d)
		if err != nil {
			f.w.warn(f.call, err)
		}
		return nil
	})
	return lowlevel.Exec(f.path, args, f.w.Environ)
}

package door

import (
	"errors"
	"fmt"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// start installs the network rules in the namespace that the low-level runtime
// made at create and the engine has wired since, and hands over: no process of
// the container runs before. The record learns which namespaces are the
// container's own.
func (w World) start(call *argv.Call) error {
	if err := errors.Join(decision.CheckID(call.ID), w.steadyNames(call)); err != nil {
		return w.unread(call, err)
	}
	store, root, places, err := w.place(call)
	if err != nil {
		return w.unread(call, err)
	}
	path, err := store.Runtime(root, call.ID)
	switch dir := store.Dir(root, call.ID); {
	case errors.Is(err, decision.ErrNoRecord):
		return w.startUnrecorded(call, root, places.Runtime)
	case err != nil:
		return w.unread(call, err)
	case decision.AtStart(dir):
		if err := w.holdAtStart(store, root, call); err != nil {
			return errors.Join(err, w.end(store, root, path, call))
		}
	}
	if err := w.ownAtStart(store, root, call); err != nil {
		return errors.Join(err, w.end(store, root, path, call))
	}
	if err := w.preventAtStart(store, root, call); err != nil {
		return errors.Join(err, w.end(store, root, path, call))
	}
	return lowlevel.Exec(path, call.Argv, w.Environ)
}

// end takes away a container that cannot be started: an engine does not always
// do so when start fails. Its state, its control groups and its ids go.
func (w World) end(store decision.Store, root, path string, call *argv.Call) error {
	holder, ids := store.Holder(root, call.ID), store.IDs(root, call.ID)
	code, err := lowlevel.Run(path, call.Instead("delete", "--force", call.ID), w.Environ, lowlevel.Streams{})
	if err != nil || code != 0 {
		return errors.Join(err, fmt.Errorf("%w: exit code %d", errNotEnded, code))
	}
	w.endResolver(store, root, call.ID)
	return errors.Join(store.Release(root, call.ID, holder), freeIDs(ids, root, call.ID, holder))
}

var errNotEnded = errors.New("the container that was not started could not be deleted")

// startUnrecorded starts what hatchdog did not create, where the policy admits it.
// The low-level runtime answers for a container that is not there.
func (w World) startUnrecorded(call *argv.Call, root string, runtime policy.Runtime) error {
	path, err := lowlevel.Find(runtime, w.Getenv)
	if err == nil && decision.Live(root, call.ID) {
		err = w.admitUnrecorded(root, call.ID)
	}
	if err != nil {
		return err
	}
	return lowlevel.Exec(path, call.Argv, w.Environ)
}

func (w World) admitUnrecorded(root, id string) error {
	pol, err := policy.Load(w.Getenv)
	if err != nil || pol.Mode == policy.Complain {
		return err
	}
	_, err = w.unrecorded(root, id)
	return err
}

// holdAtStart installs the rules that the record says, and logs where it
// cannot.
func (w World) holdAtStart(store decision.Store, root string, call *argv.Call) error {
	rec, err := store.LoadHeld(root, call.ID)
	if err != nil {
		return err
	}
	if err = w.holdFirst(rec, store.Dir(root, call.ID)); err == nil {
		return nil
	}
	return w.refuseStart(rec, call, fmt.Errorf("network rules: %w", err))
}

// refuseStart logs why a container is not started.
func (w World) refuseStart(rec *decision.Held, call *argv.Call, err error) error {
	c := rec.Decision
	d := decision.Decision{
		Time: w.Now(), Door: call.Verb, ID: call.ID, Root: c.Root, Bundle: c.Bundle, Mode: c.Mode, Profile: c.Profile, Rule: c.Rule,
		Policy: c.Policy, Workload: c.Workload, Runtime: c.Runtime, Outcome: decision.Refused, Failure: err.Error(),
	}
	return errors.Join(err, appendAudit(w, rec.Audit, &d))
}

// holdFirst installs them in the namespace of the container's first process.
func (w World) holdFirst(rec *decision.Held, dir string) error {
	if rec.Rules == nil {
		return errNoCeiling
	}
	if !decision.Live(rec.Decision.Root, rec.Decision.ID) {
		return nil // the low-level runtime knows none, and says so
	}
	first, err := lowlevel.FindInit(rec.Decision.Root, rec.Decision.ID)
	if err != nil {
		return err
	}
	if !first.Alive() {
		return nil // it is dead, and the low-level runtime starts no other
	}
	if err := w.at("found"); err != nil {
		return err
	}
	if err := w.holdIn(first.Pid, dir, rec); err != nil {
		return err
	}
	if !first.Alive() {
		return errNotRunning // what was opened may be another's
	}
	return w.at("held")
}

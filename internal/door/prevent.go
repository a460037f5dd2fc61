package door

import (
	"fmt"
	"slices"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/prevent"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// guardFor says why the kernel's guard cannot hold what a profile denies; "" where
// it can, or nothing is denied.
func guardFor(p *policy.Profile) string {
	denied := p.Prevent.Denied()
	if len(denied) == 0 {
		return ""
	}
	deny, err := prevent.Of(denied)
	if err == nil {
		err = prevent.New().Loaded(deny)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// watchHolds reports whether the watch runs, where the guard cannot hold and drift is
// denied: it holds to that.
func watchHolds(p *policy.Profile, guard, stateDir string) bool {
	return guard != "" && slices.Contains(p.Prevent.Denied(), prevent.DriftName) && prevent.Watched(stateDir)
}

// preventAtStart has the kernel's guard hold the container before its first program
// runs. At create the guard was there: a container that it does not take now is not
// started.
func (w World) preventAtStart(store decision.Store, root string, call *argv.Call) error {
	dir := store.Dir(root, call.ID)
	denied, by, err := decision.Prevented(dir)
	if err != nil || denied == nil {
		return err
	}
	if by != policy.ByGuard {
		return w.watchAtStart(store, root, call, by)
	}
	rec, err := store.LoadHeld(root, call.ID)
	if err != nil {
		return err
	}
	if err := preventFirst(root, call.ID, denied); err != nil {
		return w.refuseStart(rec, call, fmt.Errorf("the kernel's guard: %w", err))
	}
	return w.at("prevented")
}

// watchAtStart has the watch hold the container, where one runs. A container that is
// not to run without is not started then.
func (w World) watchAtStart(store decision.Store, root string, call *argv.Call, by policy.Holder) error {
	if !decision.Live(root, call.ID) {
		return nil // the low-level runtime knows none, and says so
	}
	err := prevent.AskWatch(store.Base, root, call.ID)
	if err == nil || by != policy.ByWatchOrNone {
		return w.at("watched")
	}
	rec, lerr := store.LoadHeld(root, call.ID)
	if lerr != nil {
		return lerr
	}
	return w.refuseStart(rec, call, fmt.Errorf("prevent.require: hatchctl watch does not hold it to drift: %w", err))
}

func preventFirst(root, id string, denied []string) error {
	deny, err := prevent.Of(denied)
	if err != nil {
		return err
	}
	if !decision.Live(root, id) {
		return nil // the low-level runtime knows none, and says so
	}
	first, err := lowlevel.FindInit(root, id)
	if err != nil {
		return err
	}
	if !first.Alive() {
		return nil // it is dead, and the low-level runtime starts no other
	}
	if err := prevent.New().Enter(first.Pid, deny); err != nil {
		return err
	}
	if !first.Alive() {
		return errNotRunning // what was entered may be another's
	}
	return nil
}

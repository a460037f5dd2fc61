package door

import (
	"fmt"

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

// preventAtStart has the kernel's guard hold the container before its first program
// runs. At create the guard was there: a container that it does not take now is not
// started.
func (w World) preventAtStart(store decision.Store, root string, call *argv.Call) error {
	dir := store.Dir(root, call.ID)
	denied, err := decision.Prevented(dir)
	if err != nil || denied == nil {
		return err
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

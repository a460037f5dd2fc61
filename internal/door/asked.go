package door

import (
	"errors"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/host"
)

// asked is who asks for what: the container's id, which is this process's now,
// the opened bundle, and the low-level runtime that is to start it.
type asked struct {
	*creation
	path    string // of the low-level runtime
	runtime host.Runtime
	bundle  *bundle.Bundle
}

// identify takes the id and opens the bundle. An id that another create holds is
// not ours to give back. found is what is wrong with the low-level runtime.
func (c *creation) identify(path string, runtime host.Runtime, found error) (*asked, error) {
	var err error
	if c.claim, err = c.store.Claim(c.root, c.call.ID); err != nil {
		return nil, err
	}
	c.taken(c.abandon)
	if found != nil {
		return nil, found
	}
	if err := errors.Join(checkSpelling(c.call, runtime.Name), c.w.steadyNames(c.call)); err != nil {
		return nil, err
	}
	b, err := bundle.Open(bundleDir(c.call))
	if err != nil {
		return nil, err
	}
	return &asked{creation: c, path: path, runtime: runtime, bundle: b}, nil
}

// abandon gives the id back, and what it holds of the host's ids.
func (c *creation) abandon() error {
	creator := c.store.Holder(c.root, c.call.ID)
	return errors.Join(c.claim.Abandon(), freeIDs(c.pol.IDs.Dir, c.root, c.call.ID, creator))
}

// request is what there is to judge.
func (a *asked) request() *request {
	return &request{
		door: a.call.Verb, id: a.call.ID, root: a.root, dir: a.bundle.Dir(), record: a.claim.Dir(), doc: a.bundle.Document(),
		pol: a.pol, runtime: a.runtime, call: a.call, now: a.w.Now(), step: a.w.at,
	}
}

// holder is who ids are set aside for.
func (a *asked) holder() *idrange.Holder {
	return &idrange.Holder{Root: a.root, ID: a.call.ID, Creator: a.store.Holder(a.root, a.call.ID), Record: a.claim.Dir()}
}

func bundleDir(call *argv.Call) string {
	if call.Bundle == "" {
		return "."
	}
	return call.Bundle
}

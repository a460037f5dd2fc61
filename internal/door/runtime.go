package door

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/owner"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// findRuntime finds, asks and vets the low-level runtime. The path comes back
// with an error of the later steps too: complain mode goes on with it.
func findRuntime(pol *policy.Policy, w World) (string, host.Runtime, error) {
	path, err := lowlevel.Find(pol.Runtime, w.Getenv)
	if err != nil {
		return path, host.Runtime{}, err
	}
	// Beside the records: no id has an @.
	rt, err := lowlevel.Probe(path, filepath.Join(pol.StateDir, "@runtimes"))
	if err != nil {
		return path, host.Runtime{}, err
	}
	return path, rt, lowlevel.Vet(rt, pol.Runtime)
}

// place is where a call finds the records, and what runtime the policy names.
// A policy that cannot be read leaves the usual directory: what already runs is
// held to its record, not to the policy of today.
func (w World) place(call *argv.Call) (store decision.Store, root string, places policy.Places, err error) {
	places, perr := policy.LoadPlaces(w.Getenv)
	store.Base = places.StateDir
	if perr != nil {
		store.Base = policy.DefaultStateDir(owner.User(), w.Getenv)
	}
	root, err = decision.ResolveRoot(call.Global.Root)
	return store, root, places, err
}

// forward hands a call over that is none of the doors'.
func (w World) forward(call *argv.Call) int {
	path, err := w.runtimeOf(call)
	if err != nil {
		return w.fail(call, err)
	}
	return w.fail(call, lowlevel.Exec(path, call.Argv, w.Environ))
}

// runtimeOf is the low-level runtime that created the container, or else the
// policy's, or else the first on PATH.
func (w World) runtimeOf(call *argv.Call) (string, error) {
	store, root, places, err := w.place(call)
	if err != nil {
		return lowlevel.Find(places.Runtime, w.Getenv)
	}
	return w.creatorOf(store, root, call.ID, places.Runtime)
}

func (w World) creatorOf(store decision.Store, root, id string, other policy.Runtime) (string, error) {
	if id != "" {
		if path, err := store.Runtime(root, id); err == nil && path != "" {
			return path, nil
		}
	}
	return lowlevel.Find(other, w.Getenv)
}

// delete lets the low-level runtime delete, and gives back what was taken once
// it knows the container no more, whatever it said.
func (w World) delete(call *argv.Call) int {
	defer alone()()
	if decision.CheckID(call.ID) != nil {
		return w.forward(call) // the low-level runtime knows no such container
	}
	store, root, places, placeErr := w.place(call)
	path, err := w.creatorOf(store, root, call.ID, places.Runtime)
	if err != nil {
		return w.fail(call, err)
	}
	// Before: once the container is gone, another create may sweep its record.
	holder, ids := store.Holder(root, call.ID), store.IDs(root, call.ID)
	if placeErr == nil {
		w.logDropped(store, root, call.ID)
	}
	code, err := lowlevel.Run(path, call.Argv, w.Environ, lowlevel.Streams{os.Stdin, os.Stdout, os.Stderr})
	if err != nil {
		return w.fail(call, err)
	}
	if err = placeErr; err == nil && !decision.Live(root, call.ID) {
		w.endResolver(store, root, call.ID)
		err = errors.Join(store.Release(root, call.ID, holder), freeIDs(ids, root, call.ID, holder))
	}
	if err != nil && code == 0 && places.Mode != policy.Complain {
		return w.fail(call, err)
	}
	return code
}

// alone gives Go's scheduler one processor, and returns what undoes that. A call
// that waits for a child starts fewer threads so, which look for work meanwhile. A
// create waits for the kernel more often and gains nothing; an exec touches more
// pages.
func alone() func() {
	was := runtime.GOMAXPROCS(1)
	return func() { runtime.GOMAXPROCS(was) }
}

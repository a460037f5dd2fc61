package door

import (
	"errors"
	"fmt"
	"os"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects"
	"github.com/hatchdog/hatchdog/internal/effects/idrange"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// idStore is where the ranges of ids are kept.
func idStore(pol *policy.Policy) idrange.Store {
	return idrange.Store{Dir: pol.IDs.Dir, Pool: pol.IDs.Pool, Lives: func(h idrange.Holder) bool {
		return decision.Live(h.Root, h.ID) || decision.Creating(h.Record)
	}}
}

// IDs is who holds which ids on this host.
func IDs(pol *policy.Policy) ([]idrange.Range, error) { return idStore(pol).Held() }

// owners finds out whose the ids are that the request maps itself.
func (j *judgement) owners(r *request) (err error) {
	if j.facts.Euid == 0 && plan.MapsIDs(r.doc.Value) {
		j.facts.UserNS.Owners, err = idStore(r.pol).Owners()
		// Nobody else than the kubelet takes ids that nobody set aside.
		j.facts.UserNS.Owners.KubeletAny = j.facts.UserNS.Owners.KubeletAny && j.decision.Workload.Engine == workload.CRI
	}
	return err
}

// setAside decides on a user namespace and sets ids aside for it. A dry run
// takes none.
func (j *judgement) setAside(r *request, options plan.Options) error {
	holder := r.holder
	if len(j.decision.Refusals) > 0 {
		holder = nil // nothing will be started
	}
	v := plan.Decide(j.profile, j.facts, j.after, options)
	if !v.Use {
		if v.Why != "" && j.profile.UserNS.Mode == policy.UserNSAuto {
			j.decision.Notes = append(j.decision.Notes, "no user namespace: "+v.Why)
		}
		return nil
	}
	ids := idStore(r.pol)
	var err error
	switch {
	case v.Join.Path != "" && holder != nil:
		err = ids.Share(*holder, v.Join.Range.Base)
		j.ids = v.Join.Range
	case v.Join.Path != "":
		j.ids = v.Join.Range
	case holder != nil:
		j.ids, err = ids.Take(*holder, plan.WantIDs(j.profile, j.facts, j.after))
		j.facts.UserNS.Range = j.ids
	default:
		j.ids, err = ids.Next(plan.WantIDs(j.profile, j.facts, j.after))
		j.facts.UserNS.Range = j.ids
	}
	if err != nil {
		return fmt.Errorf("user namespace: %w", err)
	}
	return nil
}

// freeIDs gives back what a container held, as it is kept in dir; "" is
// nothing.
func freeIDs(dir, root, id, creator string) error {
	if dir == "" {
		return nil
	}
	return idrange.Store{Dir: dir}.Free(root, id, creator)
}

var errOutOfRange = errors.New("not an id that the container's user namespace has; run as another, or start the container anew under a profile whose userns.size.min reaches it")

// prepare sees to it that the network rules are there, also for a process that
// comes before start; it lets the process open its standard streams by name, and
// see the container's files as they are.
func (f *further) prepare() error {
	if _, held := decision.Namespace(f.dir); !held && decision.AtStart(f.dir) {
		if err := f.w.holdFirst(f.rec.Held(), f.dir); err != nil {
			return fmt.Errorf("network rules: %w", err)
		}
	}
	runtime := f.rec.Decision.Runtime.Name
	// The engine may have made a user namespace of its own.
	inside := !f.rec.IDs.Empty() || runtime != "runc"
	streams := effects.Streams{Runtime: runtime, Euid: os.Geteuid(), UserNS: inside, IDs: f.rec.IDs, User: f.user}
	if err := streams.Keep(); err != nil {
		return err
	}
	if f.rec.IDs.Empty() {
		return nil
	}
	_, err := effects.GiveStdio(f.rec.IDs)
	// This process sees the files that the engine copied in. If that fails, it sees
	// what the others see: hatchctl refresh says why.
	_ = refreshInside(f.rec)
	return err
}

// within refuses a user that the container's user namespace does not have.
func within(ids host.IDRange, u specs.User) error {
	for _, id := range append([]uint32{u.UID, u.GID}, u.AdditionalGids...) {
		if !ids.Empty() && !ids.Covers(id) {
			return fmt.Errorf("process.user: the user or group %d, beside %s: %w", id, ids.Inside(), errOutOfRange)
		}
	}
	return nil
}

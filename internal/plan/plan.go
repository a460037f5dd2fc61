// Package plan is the order in which the controls are applied. It alone
// imports them.
//
// Guarantees: a spec goes through every control, in one order; what a control takes
// away is a change with its reason, or a refusal where the profile says so
// (onExcess); the result depends on the arguments alone.
// Does not cover: whether the controls are right, which the guard looks at; the work
// on the host that a result needs (package effects).
// Requires: facts of the host that are not older than the call.
// Spec fields touched: those of the controls.
package plan

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/control/annotations"
	"github.com/hatchdog/hatchdog/internal/control/apparmor"
	"github.com/hatchdog/hatchdog/internal/control/caps"
	"github.com/hatchdog/hatchdog/internal/control/devices"
	"github.com/hatchdog/hatchdog/internal/control/egress"
	"github.com/hatchdog/hatchdog/internal/control/hooks"
	"github.com/hatchdog/hatchdog/internal/control/mounts"
	"github.com/hatchdog/hatchdog/internal/control/namespaces"
	"github.com/hatchdog/hatchdog/internal/control/prevent"
	"github.com/hatchdog/hatchdog/internal/control/privilege"
	"github.com/hatchdog/hatchdog/internal/control/resources"
	"github.com/hatchdog/hatchdog/internal/control/seccomp"
	"github.com/hatchdog/hatchdog/internal/control/sysctls"
	"github.com/hatchdog/hatchdog/internal/control/userns"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Options are what a plan needs to know of the call.
type Options struct {
	Restore bool // a checkpoint is brought back
	Starts  bool // the call that makes the container also starts it: run and restore
}

// Plan is an ordered list of controls.
type Plan struct {
	profile  *policy.Profile
	controls []control.Control
}

// Result is what a plan did.
type Result struct {
	Changes  []control.Attributed
	Refusals []*control.Refusal
	Notes    []string
}

// New is the plan for a spec.
func New(p *policy.Profile, f host.Facts, o Options) Plan {
	return Plan{p, append(Rest(p, f, o).controls, UserNS(p, f, o).controls...)}
}

// Rest is the plan for all but the user namespace.
func Rest(p *policy.Profile, f host.Facts, o Options) Plan {
	return Plan{p, []control.Control{
		namespaces.New(p, f, o.Restore), // first: what a sysctl reaches depends on them
		caps.New(p),
		seccomp.New(p), // after caps: its tables ask for them
		privilege.New(p, f.Limits),
		apparmor.New(p, f), // after caps: it says which of them its profile makes useless
		mounts.New(p, f),   // after privilege: nosuid costs nothing under noNewPrivileges
		devices.New(p, f),
		resources.New(p, f),
		sysctls.New(p, f),
		hooks.New(p, f),
		annotations.New(p, f),
		prevent.New(p, f, o.Starts), // after namespaces: whose pids they are tells whether the guard can hold it
		egress.New(p, f, o.Starts),  // after capabilities and hooks: it looks at what is left of them
	}}
}

// Network is where a container's network rules are installed.
type Network = egress.Place

// The kinds of places.
const (
	NetworkFree     = egress.Free
	NetworkStart    = egress.Start
	NetworkHooked   = egress.Hooked
	NetworkLoopback = egress.Loopback
	NetworkJoined   = egress.Joined
	NetworkHosts    = egress.Hosts
)

// NetworkOf finds it in a spec that the plan was applied to.
func NetworkOf(p *policy.Profile, f host.Facts, s *specs.Spec, o Options) Network {
	return egress.PlaceOf(p, f, s, o.Starts)
}

// Prevented is what is to be denied the container of a spec that the plan was applied
// to, from its start on, and by what.
func Prevented(p *policy.Profile, f host.Facts, s *specs.Spec) ([]string, policy.Holder) {
	return prevent.Held(p, f, s)
}

// UserNS is the plan for the user namespace. It comes last: what stands against
// one may have been taken away.
func UserNS(p *policy.Profile, f host.Facts, o Options) Plan {
	return Plan{p, []control.Control{userns.New(p, f, o.Restore)}}
}

// Unheld are the ceilings of the profile that this user cannot hold.
func Unheld(p *policy.Profile, f host.Facts) []string { return resources.Unheld(p, f) }

// Decide says whether a spec to which Rest was applied gets a user namespace,
// before the ids for it are set aside.
func Decide(p *policy.Profile, f host.Facts, s *specs.Spec, o Options) userns.Verdict {
	return userns.Decide(p, f, s, o.Restore)
}

// WantIDs is how many ids the container is to have, and which.
func WantIDs(p *policy.Profile, f host.Facts, s *specs.Spec) host.IDRange {
	return userns.Want(p, f, s)
}

// MapsIDs reports whether a spec asks for a user namespace itself.
func MapsIDs(s *specs.Spec) bool { return userns.Given(s) }

// Exec is the plan for a further process of a container, which inherits these
// limits.
func Exec(p *policy.Profile, limits map[string]host.Limit) Plan {
	return Plan{p, []control.Control{caps.New(p), privilege.Further(p, limits)}}
}

// Apply changes the spec in place. An error means that it could not be judged;
// what the policy does not admit is in the result.
func (p Plan) Apply(s *specs.Spec) (Result, error) {
	var res Result
	for _, c := range p.controls {
		changes, err := c.Apply(s)
		refusals, other := control.Refusals(err)
		if other != nil {
			return res, fmt.Errorf("%s: %w", c.Name(), other)
		}
		res.Refusals = append(res.Refusals, refusals...)
		if n, ok := c.(control.Noter); ok {
			if note := n.Note(s); note != "" {
				res.Notes = append(res.Notes, note)
			}
		}
		for _, ch := range changes {
			res.Changes = append(res.Changes, control.Attributed{Control: c.Name(), Change: ch})
			if r := p.excess(c.Name(), ch); r != nil && len(refusals) == 0 { // else the control has told already
				res.Refusals = append(res.Refusals, r)
			}
		}
	}
	return res, nil
}

// excess turns what was taken away from a request into a refusal, where the profile
// does not tighten silently. A thing that the engine did not ask for is no excess.
func (p Plan) excess(name string, ch control.Change) *control.Refusal {
	if p.profile.OnExcess[name] != policy.Refuse || ch.Before == "" {
		return nil
	}
	switch name {
	case policy.Mounts, policy.UserNS, policy.Hooks:
		return nil // they refuse themselves what changes the meaning, and take away what a program can do without
	}
	r := &control.Refusal{
		Control: name, Field: ch.Field, Reason: ch.Reason, Policy: p.profile.Where("onExcess." + name),
		Remedy: "ask for no more than the profile grants",
	}
	if len(ch.Grants) > 0 {
		return r.Granting(ch.Grants...)
	}
	return r.Granting(control.Set("onExcess."+name, string(policy.Tighten)))
}

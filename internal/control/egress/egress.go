// Package egress sees to it that a container's network rules are installed
// before its first instruction, and that it cannot take them away.
//
// Guarantees: where the profile has network rules, the container has a network
// namespace of its own, or of its pod, in which they are installed; where the
// low-level runtime makes the namespace, they are installed at start, or by our
// own hook where the same call makes and starts the container; the container
// has no capability with which it could change the rules or go around them.
// Does not cover: a container that somebody starts by the low-level runtime itself;
// a user other than root, who may not reach into the namespace but as the root of a
// user namespace: the record says so.
// Requires: facts on the network namespace that is joined and on our own
// executable.
// Spec fields touched: hooks.createRuntime; process.capabilities where the
// profile tightens.
package egress

import (
	"errors"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type egress struct {
	profile *policy.Profile
	facts   host.Facts
	starts  bool
}

// New makes the control. starts is true where the call that makes the container
// also starts it.
func New(p *policy.Profile, f host.Facts, starts bool) control.Control { return egress{p, f, starts} }

func (egress) Name() string { return policy.Egress }

func (c egress) Apply(s *specs.Spec) ([]control.Change, error) {
	place := PlaceOf(c.profile, c.facts, s, c.starts)
	var changes []control.Change
	var refusals []error
	switch place.Kind {
	case Free, Loopback:
		return nil, nil
	case Hosts:
		if !slices.Contains(c.profile.Namespaces.Host, string(specs.NetworkNamespace)) {
			return nil, nil // the namespaces control refuses it
		}
		return nil, c.refuse("linux.namespaces[network]", "the profile has network rules, and the host's network cannot be held to them",
			"leave out --network host (hostNetwork)", control.NoNetworkRules(c.profile)...)
	case Hooked:
		ch, err := c.hook(s)
		changes, refusals = append(changes, ch...), append(refusals, err)
	case Joined:
		if c.starts && c.profile.NetworkRules().Named() { // its resolver needs the first process
			ch, err := c.hook(s)
			changes, refusals = append(changes, ch...), append(refusals, err)
		}
	case Start: // installed before the low-level runtime starts it
	}
	ch, err := c.capabilities(s)
	return append(changes, ch...), errors.Join(append(refusals, err)...)
}

// Note says where there are no rules although the profile has some.
func (c egress) Note(s *specs.Spec) string {
	if PlaceOf(c.profile, c.facts, s, c.starts).Kind != Loopback {
		return ""
	}
	return "egress: without root the profile's network rules are not installed; the namespace has loopback alone, unless its engine wires it"
}

func (c egress) refuse(field, reason, remedy string, grants ...control.Grant) error {
	r := &control.Refusal{Control: policy.Egress, Field: field, Reason: reason, Policy: c.profile.Where("egress"), Remedy: remedy}
	return r.Granting(grants...)
}

// hook adds our own hook, behind those that wire the network where there are
// some.
func (c egress) hook(s *specs.Spec) ([]control.Change, error) {
	own := c.facts.Own
	if own.Path == "" {
		return nil, c.refuse("hooks.createRuntime", "hatchdog's own executable has no path any more, so it cannot install the network rules",
			"start the container again")
	}
	want := own.Hook()
	if s.Hooks == nil {
		s.Hooks = &specs.Hooks{}
	}
	same := func(h specs.Hook) bool { return h.Path == want.Path && slices.Equal(h.Args, want.Args) }
	if n := len(s.Hooks.CreateRuntime); n > 0 && same(s.Hooks.CreateRuntime[n-1]) {
		return nil, nil
	}
	s.Hooks.CreateRuntime = append(s.Hooks.CreateRuntime, want)
	return []control.Change{{
		Field: "hooks.createRuntime", After: strings.Join(want.Args[:2], " "),
		Reason: "it installs the profile's network rules before the container's first process starts",
	}}, nil
}

// capabilities takes away, or refuses, what could undo the rules: the
// administration of the namespace, and packet sockets, which go around them.
func (c egress) capabilities(s *specs.Spec) ([]control.Change, error) {
	if s.Process == nil || s.Process.Capabilities == nil || !owns(s) {
		return nil, nil
	}
	var changes []control.Change
	var refusals []error
	sets := s.Process.Capabilities
	for _, name := range []string{"CAP_NET_ADMIN", "CAP_NET_RAW"} {
		why := "it could take the profile's network rules away"
		if name == "CAP_NET_RAW" {
			why = "packet sockets go around the profile's network rules"
		}
		had := false
		for _, set := range []*[]string{&sets.Bounding, &sets.Effective, &sets.Permitted, &sets.Inheritable, &sets.Ambient} {
			kept := slices.DeleteFunc(slices.Clone(*set), func(n string) bool { return strings.EqualFold(n, name) })
			if len(kept) == len(*set) {
				continue
			}
			had = true
			if c.profile.OnExcess[policy.Egress] == policy.Tighten {
				*set = kept
			}
		}
		switch {
		case had && c.profile.OnExcess[policy.Egress] == policy.Tighten:
			changes = append(changes, control.Change{Field: "process.capabilities", Before: name, After: "none", Reason: why})
		case had:
			refusals = append(refusals, c.refuse("process.capabilities", name+": "+why,
				"do not ask for it (--cap-add)", control.NoNetworkRules(c.profile)...))
		}
	}
	return changes, errors.Join(refusals...)
}

// owns reports whether the container's capabilities count in its network
// namespace: they do unless it has a user namespace of its own and joins a
// network namespace that was made outside of it.
func owns(s *specs.Spec) bool {
	user, network := find(s, specs.UserNamespace), find(s, specs.NetworkNamespace)
	return user == nil || user.Path != "" || network == nil || network.Path == ""
}

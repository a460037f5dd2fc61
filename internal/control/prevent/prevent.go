// Package prevent says where the kernel's guard cannot hold a container to what the
// policy denies it while it runs.
//
// Guarantees: where the policy requires the guard, a container that it cannot hold is
// refused; elsewhere the record says what is not held.
// Does not cover: entering the container into the guard's map, at its start (package
// effects/prevent); the guard itself (package prevent).
// Requires: facts on the guard and on the host's namespaces.
// Spec fields touched: none.
package prevent

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type prevent struct {
	rules  policy.PreventRules
	where  func(key string) string
	facts  host.Facts
	starts bool
}

// New makes the control. starts: the call that makes the container also starts it.
func New(p *policy.Profile, f host.Facts, starts bool) control.Control {
	return prevent{p.Prevent, p.Where, f, starts}
}

// Held is what the guard is to deny the container of a spec; none where it cannot.
func Held(p *policy.Profile, f host.Facts, s *specs.Spec) []string {
	if _, why, _ := (prevent{p.Prevent, p.Where, f, false}).unheld(s); why != "" {
		return nil
	}
	return p.Prevent.Denied()
}

func (prevent) Name() string { return policy.Prevent }

func (c prevent) Apply(s *specs.Spec) ([]control.Change, error) {
	if len(c.rules.Denied()) == 0 || c.rules.Require != policy.Always {
		return nil, nil
	}
	field, why, remedy := c.unheld(s)
	if why == "" {
		return nil, nil
	}
	r := &control.Refusal{Control: policy.Prevent, Field: field, Reason: why, Policy: c.where("prevent.require"), Remedy: remedy}
	return nil, r.Granting(control.Set("prevent.require", string(policy.IfAvailable)))
}

// Note says what is not held.
func (c prevent) Note(s *specs.Spec) string {
	denied := c.rules.Denied()
	if len(denied) == 0 || c.rules.Require == policy.Always {
		return ""
	}
	if _, why, _ := c.unheld(s); why != "" {
		return "prevent: " + strings.Join(denied, ", ") + " is not denied while it runs: " + why
	}
	return ""
}

// unheld says why the guard cannot hold the container; why is "" where it can.
func (c prevent) unheld(s *specs.Spec) (field, why, remedy string) {
	switch {
	case c.facts.Guard != "":
		return "prevent", c.facts.Guard, "load the kernel's guard (hatchctl guard load)"
	case c.starts:
		return "prevent", "the call that makes the container also starts it, and the guard learns of a container in between", "use create and start"
	case !c.ownPids(s):
		return "linux.namespaces", "the container shares the host's pid namespace, in which the guard cannot tell it from its low-level runtime", "give it a pid namespace of its own"
	}
	return "", "", ""
}

// ownPids reports whether the container has a pid namespace that is not the host's.
func (c prevent) ownPids(s *specs.Spec) bool {
	if s.Linux == nil {
		return false
	}
	known := c.facts.HostNamespaces[string(specs.PIDNamespace)]
	return slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool {
		return n.Type == specs.PIDNamespace && (n.Path == "" || len(known) > 0 && !slices.Contains(known, c.facts.Joined[n.Path].ID))
	})
}

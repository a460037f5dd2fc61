package policy

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// PreventRules say what the kernel's guard (hatchctl guard load) denies a container
// while it runs.
type PreventRules struct {
	Deny    []string `json:"deny"` // of PreventNames
	Require Require  `json:"require"`
}

// PreventNames are what the kernel's guard can deny.
func PreventNames() []string { return []string{"drift", "mounts", "bpf", "modules", "ptrace"} }

// Denied is what a container is to be held to; none where the policy wants no guard.
func (r PreventRules) Denied() []string {
	if r.Require == Never {
		return nil
	}
	return r.Deny
}

// Holder is what holds a container while it runs.
type Holder string

// The holders.
const (
	ByGuard Holder = ""      // the kernel's guard, which is no process
	ByWatch Holder = "watch" // hatchctl watch, while it runs
	// ByWatchOrNone is ByWatch, of a container that does not start without.
	ByWatchOrNone Holder = "watch, required"
)

// meetPrevent is what denies whatever a or b denies.
func meetPrevent(a, b PreventRules) PreventRules {
	m := PreventRules{Deny: union(a.Denied(), b.Denied()), Require: a.Require}
	if b.Require == Always || a.Require == Never {
		m.Require = b.Require
	}
	return m
}

func checkPrevent(r *reader, n *yaml.Node, p PreventRules) {
	for _, name := range p.Deny {
		if at := place(n, name, "prevent", "deny"); at != nil && !slices.Contains(PreventNames(), name) {
			r.fail(at, "prevent.deny", nearest(name, PreventNames()), "%q is nothing that the kernel's guard can deny", name)
		}
	}
}

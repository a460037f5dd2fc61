// Package prevent says where a container cannot be held to what the policy denies it
// while it runs. The kernel's guard holds it to all of that; where there is none,
// hatchctl watch holds it to drift, while it runs.
//
// Guarantees: where the policy requires it, a container that cannot be held is
// refused; elsewhere the record says what is not held.
// Does not cover: entering the container into the guard's map, at its start (package
// effects/prevent); the guard itself (package prevent); the watch (package watch).
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

// drift is what the watch can hold a container to.
const drift = "drift"

// Held is what is to be denied the container of a spec, none where it cannot be, and by
// what.
func Held(p *policy.Profile, f host.Facts, s *specs.Spec) ([]string, policy.Holder) {
	c := prevent{p.Prevent, p.Where, f, false}
	_, why, _ := c.unheld(s)
	switch {
	case why == "":
		return c.rules.Denied(), policy.ByGuard
	case !c.byWatch():
		return nil, ""
	case c.rules.Require == policy.Always:
		return []string{drift}, policy.ByWatchOrNone
	}
	return []string{drift}, policy.ByWatch
}

// byWatch: the kernel has no guard, and drift is denied.
func (c prevent) byWatch() bool {
	return c.facts.Guard != "" && slices.Contains(c.rules.Denied(), drift)
}

// watched is true where the watch holds the container to all that is denied.
func (c prevent) watched() bool {
	return c.byWatch() && c.facts.WatchHolds && !c.starts && len(c.rules.Denied()) == 1
}

func (prevent) Name() string { return policy.Prevent }

func (c prevent) Apply(s *specs.Spec) ([]control.Change, error) {
	if len(c.rules.Denied()) == 0 || c.rules.Require != policy.Always {
		return nil, nil
	}
	field, why, remedy := c.unheld(s)
	if why == "" || c.watched() {
		return nil, nil
	}
	r := &control.Refusal{Control: policy.Prevent, Field: field, Reason: why, Policy: c.where("prevent.require"), Remedy: remedy}
	return nil, r.Granting(control.Set("prevent.require", string(policy.IfAvailable)))
}

// Note says what is not held.
func (c prevent) Note(s *specs.Spec) string {
	denied := c.rules.Denied()
	_, why, _ := c.unheld(s)
	switch {
	case len(denied) == 0 || why == "":
		return ""
	case !c.byWatch():
		return "prevent: " + strings.Join(denied, ", ") + " is not denied while it runs: " + why
	}
	note := "prevent: drift is denied by hatchctl watch, a process, and only while that runs"
	if !c.facts.WatchHolds {
		note += ", which it does not do now"
	}
	if rest := slices.DeleteFunc(slices.Clone(denied), func(d string) bool { return d == drift }); len(rest) > 0 {
		note += "; " + strings.Join(rest, ", ") + " is not denied while it runs"
	}
	return note + ": " + why
}

// unheld says why the guard cannot hold the container; why is "" where it can.
func (c prevent) unheld(s *specs.Spec) (field, why, remedy string) {
	switch {
	case c.facts.Guard != "":
		return "prevent", c.facts.Guard, c.remedy()
	case c.starts:
		return "prevent", "the call that makes the container also starts it, and the guard learns of a container in between", "use create and start"
	case !c.ownPids(s):
		return "linux.namespaces", "the container shares the host's pid namespace, in which the guard cannot tell it from its low-level runtime", "give it a pid namespace of its own"
	}
	return "", "", ""
}

func (c prevent) remedy() string {
	if c.byWatch() && len(c.rules.Denied()) == 1 {
		return "load the kernel's guard (hatchctl guard load), or run hatchctl watch, which denies drift while it runs"
	}
	return "load the kernel's guard (hatchctl guard load)"
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

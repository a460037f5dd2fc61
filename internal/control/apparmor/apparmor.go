// Package apparmor confines a process by the profile that the policy names.
//
// Guarantees: where the host has AppArmor, the process runs under the policy's
// profile or one that is known to be stricter or that the policy keeps, and
// that profile is enforced; where this cannot be, the policy's onMissing
// decides. A name that means more than one profile is refused.
// Does not cover: what the profile grants; a host without AppArmor, unless the
// policy says always; SELinux, whose labels stay as the engine set them.
// Requires: AppArmor 3.0 and securityfs, to be of use.
// Spec fields touched: process.apparmorProfile.
package apparmor

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

const field = "process.apparmorProfile"

type apparmor struct {
	rules policy.ApparmorRules
	where func(key string) string
	facts host.Apparmor
}

// New makes the control of the profile.
func New(p *policy.Profile, f host.Facts) control.Control {
	return apparmor{p.Apparmor, p.Where, f.Apparmor}
}

func (apparmor) Name() string { return policy.Apparmor }

func (c apparmor) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Process == nil || c.rules.Require == policy.Never {
		return nil, nil
	}
	asked := s.Process.ApparmorProfile
	if asked != "" && asked != policy.Unconfined && !policy.ApparmorName(asked) {
		return nil, c.refuse("profile", "the name is not a profile's alone: it may stand for a namespace or several profiles", "name one profile")
	}
	if !c.facts.Enabled || c.facts.Err != "" {
		return nil, c.absent()
	}
	chosen, err := c.choose(asked)
	if err != nil {
		return nil, err
	}
	if why := c.missing(chosen); why != "" {
		if c.rules.OnMissing == policy.ContinueMissing {
			return nil, nil // Note says so
		}
		return nil, c.refuse("onMissing", why, "load it (hatchctl apparmor load) and see hatchctl apparmor status",
			control.Set("apparmor.onMissing", string(policy.ContinueMissing)))
	}
	if chosen == asked || asked == "" && chosen == c.facts.Own {
		return nil, nil
	}
	s.Process.ApparmorProfile = chosen
	return []control.Change{{Field: field, Before: asked, After: chosen, Reason: reason(asked)}}, nil
}

func reason(asked string) string {
	if rank, _ := policy.ApparmorRank(asked); rank == 0 {
		return "nothing would have confined the process beyond its capabilities and mounts"
	}
	return "the policy's profile is stricter than the engine's"
}

// choose is the profile that the process is to run under.
func (c apparmor) choose(asked string) (string, error) {
	have := asked
	if asked == "" {
		have = c.facts.Own // what a process without a profile inherits
	}
	want := c.rules.Profile
	switch {
	case !policy.ApparmorName(want): // empty, in a policy that was loaded
		return "", c.refuse("profile", "the workload's choice and its rule name profiles of which neither is known to be the stricter", "choose a policy profile that names one of hatchdog's")
	case have == want, slices.Contains(c.rules.Keep, have):
		return have, nil
	case policy.ApparmorStricter(want, have):
		return want, nil
	case policy.ApparmorStricter(have, want):
		return have, nil
	}
	return "", c.refuse("keep", fmt.Sprintf("whether %s is stricter than %s is not known", shown(have), want),
		"do not ask for it, or, if it is,", control.Add("apparmor.keep", control.Quoted(have)))
}

// absent is what a host means that has no AppArmor, or whose cannot be told.
func (c apparmor) absent() error {
	switch {
	case c.facts.Err == "" && c.rules.Require == policy.Always:
		return c.refuse("require", "this host has no AppArmor", "boot it with apparmor=1", control.Set("apparmor.require", string(policy.IfAvailable)))
	case c.facts.Err == "":
		return nil
	case c.rules.Require == policy.Always || c.rules.OnMissing != policy.ContinueMissing:
		return c.refuse("onMissing", "what AppArmor enforces on this host cannot be told: "+c.facts.Err, "mount securityfs on /sys/kernel/security",
			control.Set("apparmor.require", string(policy.IfAvailable)), control.Set("apparmor.onMissing", string(policy.ContinueMissing)))
	}
	return nil
}

// missing says why a profile would not confine the process. Ours counts as
// there until loading it has failed.
func (c apparmor) missing(name string) string {
	if c.facts.Enforced(name) {
		return ""
	}
	failed, tried := c.facts.Unloadable[name]
	if !tried && profiles.Ours(name) {
		return ""
	}
	why := "the profile " + shown(name) + " is not loaded"
	if mode := c.facts.Modes[name]; mode != "" {
		why = fmt.Sprintf("the profile %s is loaded in %s mode, which denies nothing", shown(name), mode)
	}
	if failed != "" {
		why += ", and loading it failed: " + failed
	}
	return why
}

// Note says what was left as it is, and why.
func (c apparmor) Note(s *specs.Spec) string {
	if s.Process == nil || c.rules.Require == policy.Never {
		return ""
	}
	switch {
	case c.facts.Err != "":
		return "apparmor: no profile was set: " + c.facts.Err
	case !c.facts.Enabled:
		return "apparmor: this host has none"
	}
	has := s.Process.ApparmorProfile
	chosen, err := c.choose(has)
	if err != nil {
		return ""
	}
	if why := c.missing(chosen); why != "" {
		return "apparmor: " + why + "; the process has what the engine set: " + shown(has)
	}
	if has != "" && has != c.rules.Profile {
		return "apparmor: " + has + " stays: it is stricter than " + c.rules.Profile + ", or the policy keeps it"
	}
	if denied := c.denied(s.Process); denied != "" {
		return "apparmor: " + has + " does not grant " + denied + ", which the process has"
	}
	return ""
}

// denied are capabilities of the process that the profile makes useless.
func (c apparmor) denied(p *specs.Process) string {
	if p.Capabilities == nil || !profiles.Ours(p.ApparmorProfile) {
		return ""
	}
	var names []string
	for _, name := range p.Capabilities.Bounding {
		if !slices.Contains(profiles.Grants(p.ApparmorProfile), name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func shown(name string) string {
	if name == "" {
		return "none"
	}
	return name
}

func (c apparmor) refuse(key, why, remedy string, grants ...control.Grant) error {
	r := &control.Refusal{
		Control: policy.Apparmor, Field: field, Reason: why, Policy: c.where("apparmor." + key), Remedy: remedy,
	}
	return r.Granting(grants...)
}

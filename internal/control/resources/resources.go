// Package resources holds what a container may use up to the profile's
// ceilings, on control groups of both versions.
//
// Guarantees: processes, memory, swap and CPU time are not above their
// ceilings, in the fields of version 1 and in `unified` alike; no key of
// `unified` reaches the control group's own controls; a ceiling that this host
// cannot hold is a refusal.
// Does not cover: disk space, disk and network bandwidth, hugepages, devices.
// Requires: the controllers, and swap accounting for a ceiling of swap.
// Spec fields touched: linux.resources.{pids,memory,cpu,unified} and
// network.classID, which is taken away.
package resources

import (
	"errors"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type resources struct {
	profile *policy.Profile
	cgroup  host.Cgroup
	root    bool // we are
}

// New makes the control for a spec: a limit that is not there is unlimited.
func New(p *policy.Profile, f host.Facts) control.Control { return resources{p, f.Cgroup, f.Euid == 0} }

func (resources) Name() string { return policy.Resources }

func (c resources) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	if s.Linux.Resources == nil {
		s.Linux.Resources = &specs.LinuxResources{}
	}
	r := s.Linux.Resources
	if !c.root {
		c.profile = held(c.profile, c.cgroup)
	}
	e := &edit{profile: c.profile, cgroup: c.cgroup, all: true}
	e.missing()
	e.pids(r)
	e.memory(r)
	e.noSwap(r)
	e.cpu(r)
	e.class(r)
	e.unified(r)
	return e.changes, errors.Join(e.refusals...)
}

// Update holds the resources of `update`: what is not there stays as it is in
// the container.
func Update(p *policy.Profile, g host.Cgroup, r *specs.LinuxResources) ([]control.Change, error) {
	e := &edit{profile: p, cgroup: g}
	e.unspoken(r)
	e.pids(r)
	e.memory(r)
	e.cpu(r)
	e.class(r)
	e.unified(r)
	return e.changes, errors.Join(e.refusals...)
}

// edit is one pass over the resources.
type edit struct {
	profile  *policy.Profile
	cgroup   host.Cgroup
	all      bool // limits that are not there are set
	changes  []control.Change
	refusals []error
}

// missing refuses a ceiling that this host cannot hold.
func (e *edit) missing() {
	p := e.profile
	for _, need := range []struct {
		controller, key string
		wanted          bool
	}{
		{"pids", "pids.max", p.Pids.Max != nil},
		{"memory", "memory.max", p.Memory.Max != nil},
		{"cpu", "cpu.max", p.CPU.MaxMilli != nil},
	} {
		if !need.wanted || slices.Contains(e.cgroup.Controllers, need.controller) {
			continue
		}
		e.refuse("linux.resources."+need.controller, need.key, "this host has no "+need.controller+" controller to hold the profile's ceiling",
			"enable the controller", control.Set(need.key, policy.None))
	}
}

func (e *edit) refuse(field, key, reason, remedy string, grants ...control.Grant) {
	r := &control.Refusal{Control: policy.Resources, Field: field, Reason: reason, Policy: e.profile.Where(key), Remedy: remedy}
	e.refusals = append(e.refusals, r.Granting(grants...))
}

func (e *edit) change(field, before, after, reason string) {
	e.changes = append(e.changes, control.Change{Field: field, Before: before, After: after, Reason: reason})
}

package watch

import (
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// slim leaves of a record what a watch asks for: hundreds of them are held.
func slim(r *decision.Record) *decision.Record {
	d := r.Decision
	s := &decision.Record{Labels: r.Labels, IDs: r.IDs, Prevent: r.Prevent, PreventBy: r.PreventBy}
	s.Network.Kind = r.Network.Kind
	s.Decision = decision.Decision{
		Time: d.Time, ID: d.ID, Root: d.Root, Bundle: d.Bundle, Mode: d.Mode, Outcome: d.Outcome, Profile: d.Profile, Workload: d.Workload, Runtime: d.Runtime,
	}
	if r.Ceiling != nil {
		s.Ceiling = &policy.Profile{Detect: r.Ceiling.Detect}
	}
	return s
}

// slimGiven leaves out filters and devices.
func slimGiven(g *lowlevel.Given) *lowlevel.Given {
	return &lowlevel.Given{Capabilities: g.Capabilities, NoNewPrivileges: g.NoNewPrivileges, MaskedPaths: g.MaskedPaths, Cgroups: g.Cgroups}
}

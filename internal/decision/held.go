package decision

import (
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// Held is what of a record the network rules need: start reads it each time,
// and it is a small part of a record.
type Held struct {
	Decision Call                 `json:"decision"`
	Rules    *policy.NetworkRules `json:"ceiling"`
	Network  plan.Network         `json:"network"`
	Audit    policy.Audit         `json:"audit"`
}

// Call is a Decision without what was decided.
type Call struct {
	ID       string            `json:"id"`
	Root     string            `json:"root"`
	Bundle   string            `json:"bundle"`
	Mode     policy.Mode       `json:"mode"`
	Profile  string            `json:"profile"`
	Rule     string            `json:"rule"`
	Policy   string            `json:"policy"`
	Workload workload.Workload `json:"workload"`
	Runtime  Runtime           `json:"runtime"`
}

// Held is the record's.
func (r *Record) Held() *Held {
	d := r.Decision
	h := &Held{
		Decision: Call{d.ID, d.Root, d.Bundle, d.Mode, d.Profile, d.Rule, d.Policy, d.Workload, d.Runtime}, Network: r.Network, Audit: r.Audit,
	}
	if r.Ceiling != nil {
		h.Rules = r.Ceiling.NetworkRules()
	}
	return h
}

// LoadHeld is Load of a part.
func (s Store) LoadHeld(root, id string) (*Held, error) {
	dir, err := s.recordOf(root, id)
	if err != nil {
		return nil, err
	}
	return load[Held](dir)
}

// ReadHeld is Read of a part.
func ReadHeld(dir string) (*Held, error) {
	if err := checkAll(dir); err != nil {
		return nil, err
	}
	return load[Held](dir)
}

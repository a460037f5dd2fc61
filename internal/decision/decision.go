// Package decision holds the decision on one call of hatchdog, and keeps it under
// the state directory for as long as the container lives.
//
// Guarantees: a record is read only from directories and files that nobody but
// root, or the user that we are, can write to; one id under one root of the
// low-level runtime has one record; a record stays until its container is deleted
// or known to be gone.
// Does not cover: that user, who can rewrite the records; the history of decisions,
// which package audit keeps.
// Requires: a state directory that a restart of the host empties.
// Spec fields touched: none.
package decision

import (
	"time"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// Outcome is how a call ended.
type Outcome string

// The outcomes.
const (
	Unchanged  Outcome = "unchanged"  // the request was within the policy
	Tightened  Outcome = "tightened"  // runc gets less than was asked for
	Refused    Outcome = "refused"    // runc is not started
	Complained Outcome = "complained" // complain mode: runc gets the original
)

// Decision is what one call of create, run, restore, exec or update led to.
type Decision struct {
	Time     time.Time            `json:"time"`
	Door     string               `json:"door"` // create, run, restore, exec, update
	ID       string               `json:"id"`
	Root     string               `json:"root"` // runc's --root, resolved
	Bundle   string               `json:"bundle,omitempty"`
	Mode     policy.Mode          `json:"mode"`
	Outcome  Outcome              `json:"outcome"`
	Profile  string               `json:"profile"`
	Rule     string               `json:"rule,omitempty"`
	Policy   string               `json:"policy"` // digest
	Workload workload.Workload    `json:"workload"`
	Runtime  Runtime              `json:"runtime"`
	Changes  []control.Attributed `json:"changes"`
	Refusals []*control.Refusal   `json:"refusals,omitempty"`
	Notes    []string             `json:"notes,omitempty"`
	SpecIn   string               `json:"specIn,omitempty"`  // SHA-256 of the document as it came
	SpecOut  string               `json:"specOut,omitempty"` // SHA-256 of the document as runc gets it
	Failure  string               `json:"failure,omitempty"` // an error before the hand-over
	Cut      *Cut                 `json:"cut,omitempty"`     // where the request was too large to be told
}

// Runtime is the low-level runtime that was called.
type Runtime struct {
	Path    string `json:"path"`
	Name    string `json:"name"`
	Version string `json:"version"`
}

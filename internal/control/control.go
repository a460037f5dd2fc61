// Package control holds what every tightening has in common: its interface,
// the evidence that it leaves (Change) and the way it says no (Refusal).
//
// Guarantees: a control is pure: the same spec, profile and host facts give the
// same result. It asks no kernel and reads no clock.
// Does not cover: the order of the controls (package plan) and the proof that they
// loosen nothing (package guard).
// Requires: nothing.
// Spec fields touched: none; each control names its own.
package control

import (
	"errors"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Control is one tightening of a spec.
//
// Apply changes the spec in place and returns what it changed, in a stable order. A
// second Apply on its own result returns no change. One or more *Refusal, joined,
// stand for what the policy does not let a container have at all; Apply tightens
// all the same, so that a dry run can show both. Any other error means that the
// spec could not be judged.
type Control interface {
	// Name is the control's key in the policy.
	Name() string
	Apply(*specs.Spec) ([]Change, error)
}

// Noter is a control that can say why it left something as it is. Note is asked
// after Apply; empty is nothing to say.
type Noter interface {
	Note(*specs.Spec) string
}

// Change is the evidence of one tightening.
//
// Field names the place in the spec, as in "process.capabilities.bounding"
// or "mounts[/sys].options". Before is empty when the engine asked for
// nothing there. Before and After never hold a value that may be a secret.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
	Reason string `json:"reason"`
	// Grants are the keys of a profile that would have left it as asked; none
	// where no single key does.
	Grants []Grant `json:"-"`
}

// Attributed is a change with the name of the control that made it.
type Attributed struct {
	Control string `json:"control"`
	Change
}

// Refusal is an error that says which part of the request the policy does not
// admit, and what the person who reads it can do.
type Refusal struct {
	Control string `json:"control"`
	Field   string `json:"field"`
	// Reason says why, in words that a user of the container understands.
	Reason string `json:"reason"`
	// Policy names the line or built-in key that refuses.
	Policy string `json:"policy"`
	// Remedy says what would make the request acceptable: what to change in it,
	// and what Grants says.
	Remedy string `json:"remedy"`
	// Grants are the keys of a profile that admit the request, all together.
	// None: no policy admits it, and the request has to change.
	Grants []Grant `json:"grants,omitempty"`
}

// Error is one sentence for whoever asked: field, reason, policy line, remedy.
// The name of the control is left to the record: the field tells it.
func (r *Refusal) Error() string {
	s := r.Field + ": " + r.Reason
	if r.Policy != "" {
		s += " (policy: " + r.Policy + ")"
	}
	if r.Remedy != "" {
		s += ". Remedy: " + r.Remedy
	}
	return s
}

// Refusals takes err apart. It returns every Refusal in it, and the first
// error that is not one, or nil.
func Refusals(err error) ([]*Refusal, error) {
	if err == nil {
		return nil, nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Refusal
		for _, e := range joined.Unwrap() {
			r, other := Refusals(e)
			if other != nil {
				return all, other
			}
			all = append(all, r...)
		}
		return all, nil
	}
	var r *Refusal
	if errors.As(err, &r) {
		return []*Refusal{r}, nil
	}
	return nil, err
}

// Package annotations strips the annotations that a low-level runtime acts on.
//
// Guarantees: none that the profile or the runtime itself calls unsafe is left,
// and none whose key reads otherwise in runc's state, which keeps KEY=VALUE.
// Does not cover: what an engine makes of its own annotations.
// Requires: what `features` of the runtime says
// (potentiallyUnsafeConfigAnnotations).
// Spec fields touched: annotations.
package annotations

import (
	"maps"
	"slices"
	"strings"
	"unicode"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type annotations struct{ strip, unsafe []string }

// New makes the control of the profile and the runtime.
func New(p *policy.Profile, f host.Facts) control.Control {
	return annotations{p.Annotations.Strip, f.Runtime.UnsafeAnnotations}
}

func (annotations) Name() string { return policy.Annotations }

func (c annotations) Apply(s *specs.Spec) ([]control.Change, error) {
	var changes []control.Change
	for _, key := range slices.Sorted(maps.Keys(s.Annotations)) {
		reason := ""
		switch {
		case c.acted(key):
			reason = "the low-level runtime acts on this annotation, around the rest of the spec"
		case split(key):
			reason = "the low-level runtime keeps it as KEY=VALUE, and would read this key as another one"
		default:
			continue
		}
		delete(s.Annotations, key)
		// The value may be a secret.
		changes = append(changes, control.Change{Field: "annotations[" + key + "]", Before: "set", After: "none", Reason: reason})
	}
	return changes, nil
}

// split reports whether KEY=VALUE is read with another key (libcontainer/utils,
// SearchLabels), or on another line of what prints it.
func split(key string) bool {
	return key == "" || strings.ContainsFunc(key, func(r rune) bool { return r == '=' || unicode.IsControl(r) })
}

// acted reports whether the runtime acts on key. The policy marks a prefix
// with *, `features` with a dot at its end.
func (c annotations) acted(key string) bool {
	if policy.Lists(c.strip, key) {
		return true
	}
	for _, u := range c.unsafe {
		if u == key || strings.HasSuffix(u, ".") && strings.HasPrefix(key, u) {
			return true
		}
	}
	return false
}

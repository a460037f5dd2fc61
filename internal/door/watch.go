package door

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/plan"
)

// watched records a create in complain mode. The one thing that it changes in
// the spec is that calls which the profile would deny are logged by the kernel,
// and not even that where it cannot be done without denying something.
func (c *creation) watched(b *bundle.Bundle, log []string) error {
	after, note, err := watch(b.Document(), c, log)
	if err != nil {
		note = "system calls are not logged: " + err.Error()
	}
	if note != "" {
		c.judged.decision.Notes = append(c.judged.decision.Notes, note)
	}
	if err := c.keep(b.Document().Raw, after); err != nil {
		return err
	}
	if after == nil {
		after = b.Document() // an earlier create may have rewritten the file
	}
	return b.Write(after)
}

// watch is the document that logs, nil where the original is it.
func watch(before *bundle.Document[specs.Spec], c *creation, actions []string) (*bundle.Document[specs.Spec], string, error) {
	if !slices.Contains(actions, string(specs.ActLog)) {
		return nil, "", nil
	}
	spec, err := copySpec(before.Raw)
	if err != nil {
		return nil, "", err
	}
	note, err := plan.Watch(c.judged.profile, spec)
	if err != nil || note == "" {
		return nil, "", err
	}
	after, err := before.With(spec)
	if err != nil || after == before {
		return nil, note, err
	}
	if err := guard.Check(before.Raw, after.Raw, guard.Evidence{}); err != nil {
		return nil, "", fmt.Errorf("guard: %w", err)
	}
	return after, note, nil
}

package door

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// DryRun says what a create of the spec in file would lead to on this host. It
// changes nothing and starts nothing but the low-level runtime's own report on
// itself.
func DryRun(pol *policy.Policy, file string) (decision.Decision, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return decision.Decision{}, err
	}
	raw, err := os.ReadFile(abs)
	if err != nil {
		return decision.Decision{}, err
	}
	dir := filepath.Dir(abs)
	d, err := DryRunOf(pol, raw, filepath.Base(dir), dir)
	if err != nil {
		return d, fmt.Errorf("%s: %w", abs, err)
	}
	return d, nil
}

// DryRunOf is DryRun of a spec of the container id, whose bundle is dir.
func DryRunOf(pol *policy.Policy, raw []byte, id, dir string) (decision.Decision, error) {
	doc, err := bundle.Decode[specs.Spec](raw)
	if err != nil {
		return decision.Decision{}, err
	}
	_, runtime, rtErr := findRuntime(pol, Process(""))
	j, err := judge(&request{door: "create", id: id, dir: dir, doc: doc, pol: pol, runtime: runtime, now: time.Now(), own: host.OwnIn(doc.Value), step: World{}.at})
	if err != nil {
		return decision.Decision{}, err
	}
	defer j.sources.Close()
	d := j.decision
	d.SpecIn = digest(raw)
	if rtErr != nil {
		d.Failure = rtErr.Error()
	}
	switch {
	case len(d.Refusals) > 0 || d.Failure != "":
		d.Outcome = decision.Refused
		return d, nil
	case len(d.Changes) == 0:
		d.Outcome = decision.Unchanged
		return d, nil
	}
	after, err := doc.With(j.after)
	if err != nil {
		return d, err
	}
	d.Outcome, d.SpecOut = decision.Tightened, digest(after.Raw)
	if err := guard.Check(doc.Raw, after.Raw, evidence(&effects.Acquired{}, j.facts)); err != nil {
		d.Outcome, d.Failure = decision.Refused, "guard: "+err.Error()
	}
	return d, nil
}

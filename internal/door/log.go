package door

import (
	"fmt"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// logDecision appends a decision of bounded size. A workload that is refused
// again and again gets fewer lines than refusals.
func logDecision(cfg policy.Audit, d *decision.Decision, now time.Time) error {
	bounded := d.Bounded(decision.MaxLogged)
	if d.Outcome == decision.Refused {
		return audit.AppendRefusal(cfg, bounded.Workload.Key(), bounded, now)
	}
	return audit.Append(cfg, bounded, now)
}

// appendAudit appends a decision to the audit log. The policy decides what a log
// that cannot be written means; it is never silent.
func appendAudit(w World, cfg policy.Audit, d *decision.Decision) error {
	err := logDecision(cfg, d, w.Now())
	if err == nil {
		return nil
	}
	if cfg.OnFailure == policy.FailContinue {
		d.Notes = append(d.Notes, "the audit log could not be written: "+err.Error())
		fmt.Fprintln(w.Stderr, "hatchdog: the audit log could not be written:", flat(err))
		return nil
	}
	return fmt.Errorf("audit log (policy audit.onFailure: refuse): %w", err)
}

// logWatched tells the audit log, and where that takes no line, the record.
func logWatched(w World, cfg policy.Audit, d *decision.Decision) {
	if err := audit.TryAppend(cfg, d.Bounded(decision.MaxLogged), w.Now()); err != nil {
		d.Notes = append(d.Notes, "the audit log could not be written: "+err.Error())
	}
}

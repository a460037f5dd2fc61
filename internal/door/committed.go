package door

import (
	"crypto/sha256"
	"encoding/hex"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/plan"
)

// committed is a call that the audit log and the record know, and whose document
// lies where the low-level runtime reads it.
type committed struct {
	*proven
	args []string // for the low-level runtime
}

// commit writes the audit log, the record and the document, in this order: what
// runs is always in the log.
func (p *proven) commit() (*committed, error) {
	if err := p.keep(); err != nil {
		return nil, err
	}
	if err := p.w.at("kept"); err != nil {
		return nil, err
	}
	args, err := p.write()
	if err != nil {
		return nil, err
	}
	return &committed{p, args}, p.w.at("written")
}

// handOver gives this process to the low-level runtime. It returns only when it
// did not.
func (c *committed) handOver() error { return lowlevel.Exec(c.path, c.args, c.w.Environ) }

func (p *proven) keep() error {
	d, original := &p.decision, p.bundle.Document().Raw
	d.SpecIn, d.SpecOut = digest(original), digest(p.doc.Raw)
	d.Outcome = decision.Unchanged
	if d.SpecIn != d.SpecOut {
		d.Outcome = decision.Tightened
	}
	if err := appendAudit(p.w, p.pol.Audit, d); err != nil {
		return err
	}
	if err := p.w.at("audited"); err != nil {
		return err
	}
	rec := &decision.Record{
		Decision: *d, Ceiling: p.profile.HeldTo(p.doc.Value), Labels: labels(p.after.Process), Audit: p.pol.Audit, Cgroup: p.facts.Cgroup,
		IDs: p.ids, Network: p.network,
	}
	rec.Prevent, rec.PreventBy = plan.Prevented(p.profile, p.facts, p.after)
	if !rec.IDs.Empty() {
		rec.IDsDir, rec.RootFS = p.pol.IDs.Dir, p.facts.UserNS.Root.Path
	}
	if err := p.claim.KeepProcess(p.doc.Value.Process); err != nil {
		return err
	}
	if err := p.own(); err != nil {
		return err
	}
	return p.claim.Commit(rec, original)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func labels(p *specs.Process) decision.Labels {
	if p == nil {
		return decision.Labels{}
	}
	return decision.Labels{Apparmor: p.ApparmorProfile, SELinux: p.SelinuxLabel}
}

package door

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/effects"
	"github.com/hatchdog/hatchdog/internal/guard"
)

// proven is what was judged with the host's work done for it, and the document
// that the guard passed.
type proven struct {
	*judged
	acquired *effects.Acquired
	doc      *bundle.Document[specs.Spec]
}

// noteNoSuid says what a reader may miss in the container.
const noteNoSuid = "the root file system is mounted nosuid: under noNewPrivileges setuid programs and file capabilities give nothing, and a program with capabilities on its file starts without them"

// prove does the work on the host, and proves the document that will be
// written.
func (j *judged) prove() (*proven, error) {
	p := &proven{judged: j}
	var err error
	p.acquired, err = effects.Acquire(effects.Request{
		Spec: j.after, Facts: j.facts, Sources: j.sources, Volumes: j.profile.UserNS.Volumes,
		StateDir: j.pol.StateDir, IDs: j.ids, Step: j.w.at,
	})
	if err != nil {
		return nil, err
	}
	j.taken(p.acquired.Undo)
	if r := p.acquired.Root; r != nil && r.NoSuid {
		j.decision.Notes = append(j.decision.Notes, noteNoSuid)
	}
	if err := j.holdNetwork(); err != nil {
		return nil, err
	}
	if err := j.w.at("acquired"); err != nil {
		return nil, err
	}
	before := j.bundle.Document()
	if p.doc, err = before.With(j.after); err != nil {
		return nil, err
	}
	if err := j.w.at("edited"); err != nil {
		return nil, err
	}
	if err := guard.Check(before.Raw, p.doc.Raw, evidence(p.acquired, j.facts)); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	return p, j.w.at("proven")
}

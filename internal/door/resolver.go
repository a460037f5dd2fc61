package door

import (
	"errors"
	"fmt"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
)

// startResolver starts the process that looks names up, where the rules allow
// some and the namespace has none yet. It ends with the container's first
// process.
func startResolver(in *firewall.Installed, pid int, dir string) error {
	if len(in.Gates) == 0 {
		return nil
	}
	of, err := resolver.Start(resolver.Request{
		Namespace: in.FD(), Pid: pid, Gates: in.Gates, Refused: in.Refused, Facts: in.Facts, Status: decision.ResolverStatus(dir),
	})
	if errors.Is(err, resolver.ErrThere) {
		return nil
	}
	if err != nil {
		return err
	}
	return decision.KeepResolver(dir, of)
}

// Names is the event of the audit log that says what became of the names that a
// container looked up. There is one for each container, when it is deleted.
type Names struct {
	Ended
	// Refused is how many names were refused, Last the latest.
	Refused int                `json:"refused"`
	Last    []resolver.Refused `json:"last"`
	// Failure says that the resolver ended before the container.
	Failure string `json:"failure,omitempty"`
}

// endResolver sees to it that the resolver of a container that is gone has ended,
// and logs what it refused. No failure keeps a container from being deleted.
func (w World) endResolver(store decision.Store, root, id string) {
	dir := store.Dir(root, id)
	r, ok := decision.ResolverOf(dir)
	if !ok {
		return
	}
	if err := errors.Join(resolver.End(r.Pid, r.Alive), w.logNames(dir, root, id)); err != nil {
		fmt.Fprintln(w.Stderr, "hatchdog: the container's resolver:", flat(err))
	}
}

func (w World) logNames(dir, root, id string) error {
	st, err := resolver.ReadStatus(decision.ResolverStatus(dir))
	if err != nil {
		return err
	}
	event := Names{Ended: Ended{"names", w.Now(), id, root}, Refused: len(st.Refused), Last: st.Refused[:min(len(st.Refused), loggedMost)]}
	switch st.Ended {
	case resolver.EndedWithContainer:
	case "":
		event.Failure = "the resolver was killed before the container ended: from then on no name resolved, and nothing opened"
	default:
		event.Failure = st.Ended
	}
	if event.Refused == 0 && event.Failure == "" {
		return nil
	}
	rec, err := decision.Read(dir)
	if err != nil {
		return err
	}
	return audit.Append(rec.Audit, event, w.Now())
}

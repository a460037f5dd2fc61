package door

import (
	"errors"
	"fmt"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/host"
)

// Dropped is the event of the audit log that says what a container's network
// rules dropped. There is one for each container, when it is deleted: the log
// cannot be flooded.
type Dropped struct {
	Ended
	// Destinations is how many there were in the last hour, Last the latest.
	Destinations int              `json:"destinations"`
	Last         []firewall.Noted `json:"last"`
}

// logDropped logs what was dropped in a container that is about to be deleted.
// It is told apart from the deletion: no failure keeps a container alive.
func (w World) logDropped(store decision.Store, root, id string) {
	dir := store.Dir(root, id)
	ns, ok := decision.Namespace(dir)
	if !ok {
		return
	}
	err := w.logDroppedIn(ns, dir, root, id)
	if err != nil && !errors.Is(err, firewall.ErrGone) {
		fmt.Fprintln(w.Stderr, "hatchdog: what was dropped is not logged:", flat(err))
	}
}

func (w World) logDroppedIn(ns host.FileID, dir, root, id string) error {
	fd, err := firewall.Reopen(ns)
	if err != nil {
		return err
	}
	defer firewall.Close(fd)
	noted, err := firewall.ReadNoted(fd)
	if err != nil || len(noted) == 0 {
		return err
	}
	rec, err := decision.Read(dir)
	if err != nil {
		return err
	}
	return audit.Append(rec.Audit, Dropped{
		Ended: Ended{"network", w.Now(), id, root}, Destinations: len(noted), Last: noted[:min(len(noted), loggedMost)],
	}, w.Now())
}

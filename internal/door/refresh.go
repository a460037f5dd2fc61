package door

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

var errNotRunning = errors.New("the container does not run")

// Refresh lets a container and its engine see each other's latest writes to
// the container's files. Without a user namespace of ours they share one mount,
// and there is nothing to do.
func Refresh(rec *decision.Record) error {
	if rec.IDs.Empty() {
		return nil
	}
	return errors.Join(refreshInside(rec), effects.Refresh(rec.RootFS))
}

// refreshInside refreshes the container's own mount.
func refreshInside(rec *decision.Record) error {
	first, err := lowlevel.FindInit(rec.Decision.Root, rec.Decision.ID)
	if err != nil {
		return err
	}
	// A pid may have come again: only a process with the container's ids is
	// one of it.
	ids, err := host.Mapping(fmt.Sprintf("/proc/%d/ns/user", first.Pid))
	if err != nil || !slices.Equal(ids, rec.IDs.Lines()) {
		return errNotRunning
	}
	return effects.Refresh(fmt.Sprintf("/proc/%d/root", first.Pid))
}

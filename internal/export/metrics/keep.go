package metrics

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/export/place"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

// Kept is a file of counts that follows the audit log.
type Kept struct {
	*Counts
	file   string
	follow *audit.Follower
}

// Keep reads the counts under a name in dir; there are none before the first use.
func Keep(dir, name, log string) (*Kept, error) {
	k := &Kept{Counts: NewCounts(), file: filepath.Join(dir, name+".counts")}
	ok, err := place.Load(k.file, k.Counts)
	if err != nil {
		return nil, err
	}
	if !ok || !k.whole() {
		k.Counts = NewCounts()
		if k.At, err = audit.Oldest(log); err != nil {
			return nil, err
		}
		if err := k.save(); err != nil {
			return nil, err
		}
	}
	k.ready()
	k.follow = audit.Follow(log, k.At)
	return k, nil
}

// labels are how many each kind of series has.
const (
	decisionLabels = 4
	eventLabels    = 2
)

// whole reports whether the keys have as many labels as they must: the file may be
// of another version.
func (c *Counts) whole() bool {
	for m, n := range map[*map[string]uint64]int{&c.Decisions: decisionLabels, &c.Changes: 1, &c.Refusals: 1, &c.Events: eventLabels, &c.Gaps: 1} {
		for key := range *m {
			if strings.Count(key, sep) != n-1 {
				return false
			}
		}
	}
	return true
}

// Catch counts what is new, and keeps it.
func (k *Kept) Catch() error {
	for {
		all, err := k.follow.Next(1000)
		for _, e := range all {
			k.Add(e, record.Of(e, time.Now()))
		}
		if len(all) > 0 {
			if err := k.save(); err != nil {
				return err
			}
		}
		if err != nil || len(all) == 0 {
			return err
		}
	}
}

func (k *Kept) save() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return place.Save(k.file, k.Counts)
}

// Close gives the log back.
func (k *Kept) Close() { k.follow.Close() }

// Running counts the containers of a state directory.
func Running(s decision.Store) Containers {
	all, err := s.List()
	if err != nil {
		return nil
	}
	counted := map[string]uint64{}
	for _, e := range all {
		if e.Live && e.Record != nil {
			count(counted, label(e.Record.Decision.Profile), oneOf(string(e.Record.Decision.Mode), "enforce", "complain"))
		}
	}
	out := Containers{}
	for key, n := range counted {
		profile, mode, _ := strings.Cut(key, sep)
		out[[2]string{profile, mode}] += int(n)
	}
	return out
}

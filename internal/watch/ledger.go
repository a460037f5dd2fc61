package watch

import (
	"fmt"
	"time"
)

// Ledger counts what was told. The same finding of the same container is told again
// only when it was seen ten times as often as the last time. Each kind has room of its
// own: a container cannot hide one thing behind many of another.
type Ledger struct {
	containers map[string]map[Kind]*account
}

type account struct {
	seen   map[string]uint64
	lines  int
	window time.Time
	more   uint64
}

// The bounds of one kind of findings of one container: those that are told apart, and
// lines in a window.
const (
	subjectsMost = 512
	linesMost    = 60
	linesWindow  = time.Minute
)

// Count counts a finding. It is told where tell is true; count is how often it was
// seen. Flood counts those that found no room.
func (l *Ledger) Count(container string, f Finding, now time.Time) (count uint64, tell bool) {
	a := l.account(container, f.Kind, now)
	if now.Sub(a.window) >= linesWindow {
		a.window, a.lines = now, 0
	}
	bounded := f.Kind != Flood && f.Kind != Escape
	if _, known := a.seen[f.Subject]; !known && len(a.seen) >= subjectsMost && bounded {
		a.more++
		return 0, false
	}
	a.seen[f.Subject]++
	count = a.seen[f.Subject]
	if !power(count) {
		return count, false
	}
	if a.lines >= linesMost && bounded {
		a.more++
		return count, false
	}
	a.lines++
	return count, true
}

func (l *Ledger) account(container string, k Kind, now time.Time) *account {
	if l.containers == nil {
		l.containers = map[string]map[Kind]*account{}
	}
	kinds := l.containers[container]
	if kinds == nil {
		kinds = map[Kind]*account{}
		l.containers[container] = kinds
	}
	if kinds[k] == nil {
		kinds[k] = &account{seen: map[string]uint64{}, window: now}
	}
	return kinds[k]
}

// power is true for 1, 10, 100 and so on.
func power(n uint64) bool {
	for n >= 10 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// Untold takes how many findings of a container found no room since the last time.
func (l *Ledger) Untold(container string) uint64 {
	n := uint64(0)
	for _, a := range l.containers[container] {
		n += a.more
		a.more = 0
	}
	return n
}

// Forget forgets a container that is gone.
func (l *Ledger) Forget(container string) { delete(l.containers, container) }

// Flooded is the finding that events were lost, or findings not told.
func Flooded(n uint64, source, what string) Finding {
	return found(Flood, Medium, source, what, fmt.Sprintf("it made %d %s more than are kept: they were counted, and not judged or not told", n, what))
}

// Unseen is the finding that the watch itself was not there.
func Unseen(since, until time.Time, containers int) Finding {
	return found(Blind, Low, FromState, "", fmt.Sprintf("nobody watched from %s to %s; %d containers run that were not seen meanwhile, or from their start on",
		since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339), containers))
}

// LostOfAll is the finding that the kernel had no room for events.
func LostOfAll(n uint64) Finding {
	return found(Blind, High, "ring buffer", "overrun", fmt.Sprintf("the kernel had no room for %d events: they were not seen", n))
}

// RunsBeside is the finding that a container runs where hatchdog should hold it.
func RunsBeside(id, name, runtime string) Finding {
	return found(Beside, High, FromState, id, fmt.Sprintf("%s runs in an enforced namespace without hatchdog, under %s", word(name), word(runtime)))
}

// Package metrics counts what the audit log says, and gives the numbers to
// Prometheus.
//
// Guarantees: a line is counted once, also across restarts; the number of series
// has a bound, whatever containers are called: no label holds a text that a
// container chooses.
// Does not cover: lines that rotation took away before they were counted; they are
// counted as missing.
// Requires: a directory to keep the counts in.
// Spec fields touched: none.
package metrics

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/export/record"
)

// maxSeries bounds the series of one metric; further ones are counted as "other".
const maxSeries = 200

// Counts are all counters, and the line up to which they count.
type Counts struct {
	At        audit.Position    `json:"at"`
	Time      time.Time         `json:"time"` // of that line
	Decisions map[string]uint64 `json:"decisions"`
	Changes   map[string]uint64 `json:"changes"`
	Refusals  map[string]uint64 `json:"refusals"`
	Events    map[string]uint64 `json:"events"`
	Gaps      map[string]uint64 `json:"gaps"`
	Missing   uint64            `json:"missing"`
	Unnamed   uint64            `json:"unnamed"`
	mu        sync.Mutex
}

// sep parts the labels of a series in its key; no label holds it.
const sep = "\x1f"

// NewCounts counts from the beginning.
func NewCounts() *Counts {
	c := &Counts{}
	c.ready()
	return c
}

func (c *Counts) ready() {
	for _, m := range []*map[string]uint64{&c.Decisions, &c.Changes, &c.Refusals, &c.Events, &c.Gaps} {
		if *m == nil {
			*m = map[string]uint64{}
		}
	}
	// A series that begins with 1 has no increase: no alert would see it.
	for _, why := range []string{audit.GapRotated, audit.GapRemoved, audit.GapChanged, audit.GapReplaced, audit.GapUnreadable} {
		c.Gaps[why] += 0
	}
}

// Add counts one record.
func (c *Counts) Add(e audit.Entry, r record.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready()
	c.At = e.Position
	if e.Gap != nil {
		count(c.Gaps, e.Gap.Why)
		c.Missing += e.Gap.Lines
		return
	}
	c.Time = e.Time
	c.Unnamed += uint64(e.Unnamed)
	if r.Kind != record.Decision {
		count(c.Events, label(r.Kind), r.Severity.String())
		return
	}
	count(c.Decisions, oneOf(r.Action, "create", "run", "restore", "exec", "update"), oneOf(r.Outcome, "unchanged", "tightened", "refused", "complained"),
		oneOf(r.Mode, "enforce", "complain"), label(r.Profile))
	for _, name := range r.Controls {
		count(c.Changes, label(name))
	}
	for _, name := range r.Refusals {
		count(c.Refusals, label(name))
	}
}

// label is a word of the policy or of ours: letters, digits and what paths of
// profiles have. Anything else is not.
func label(s string) string {
	if s == "" {
		return "none"
	}
	if len(s) > 64 || strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune(wordly, r) }) >= 0 {
		return "other"
	}
	return s
}

const wordly = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./ "

func oneOf(s string, known ...string) string {
	if slices.Contains(known, s) {
		return s
	}
	return "other"
}

// count adds one to a series. Where there are too many, it is that whose every
// label is "other".
func count(m map[string]uint64, labels ...string) {
	key := strings.Join(labels, sep)
	if _, there := m[key]; !there && len(m) >= maxSeries {
		for i := range labels {
			labels[i] = "other"
		}
		key = strings.Join(labels, sep)
	}
	m[key]++
}

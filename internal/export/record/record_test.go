package record

import (
	"strings"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/plain"
)

func of(event string) Record {
	return Of(audit.Entry{Position: audit.Position{Seq: 3}, Event: []byte(event)}, time.Unix(1, 0))
}

func TestOf(t *testing.T) {
	const who = `"id":"c1","workload":{"name":"web","engine":"docker","image":"nginx"},"profile":"restricted","door":"create"`
	for event, want := range map[string]string{
		`{` + who + `,"outcome":"refused","refusals":[{"control":"mounts","field":"mounts[0]","reason":"no"}]}`:                              "warning web: create refused by profile restricted: mounts[0]: no",
		`{` + who + `,"outcome":"refused","failure":"no runc"}`:                                                                              "warning web: create refused by profile restricted: no runc",
		`{` + who + `,"outcome":"tightened","changes":[{"control":"a"},{"control":"b"}]}`:                                                    "info web: create tightened by profile restricted (2 changes)",
		`{` + who + `,"outcome":"complained","changes":[{"control":"a"}]}`:                                                                   "notice web: create complained by profile restricted (1 changes not made, 0 refusals not made)",
		`{` + who + `,"outcome":"tightened","failure":"exec"}`:                                                                               "error web: create tightened by profile restricted, and failed: exec",
		`{"event":"network","id":"c1","destinations":3}`:                                                                                     "notice c1: 3 destinations were denied in the last hour",
		`{"event":"names","id":"c1","refused":2}`:                                                                                            "notice c1: 2 names were refused",
		`{"event":"names","id":"c1","failure":"it ended"}`:                                                                                   "warning c1: it ended",
		`{"event":"escape","severity":"critical","technique":"T1611","id":"c","name":"web","namespace":"n","pod":"p","message":"out\u001b"}`: `critical n/p/web: out\u001b`,
		`{"event":"drift","id":7,"severity":{}}`:                                                                                             "notice : drift",
		`[1]`:                                                                                                                                "warning an event that is no object",
		`null`:                                                                                                                               "warning an event that is no object",
	} {
		r := of(event)
		if got := r.Severity.String() + " " + r.Message; got != want {
			t.Errorf("%s:\n%s, want\n%s", event, got, want)
		}
	}
}

// Any event makes a record whose texts are lines with a bound.
func FuzzOf(f *testing.F) {
	f.Add(`{"event":"x","id":"\u202e","workload":{"name":"` + strings.Repeat("é", 3000) + `"}}`)
	f.Add(`{"changes":[{"control":"` + strings.Repeat("\\n", 3000) + `"}],"outcome":"refused","refusals":[1]}`)
	f.Fuzz(func(t *testing.T, event string) {
		r := of(event)
		c := r.Container
		for _, s := range append([]string{r.Kind, r.Message, r.Action, r.Outcome, r.Profile, r.Mode, r.Technique, c.ID, c.Name, c.Image, c.Engine, c.Namespace, c.Pod}, r.Controls...) {
			if plain.Line(s) != s || len(s) > maxMessage {
				t.Fatalf("%d bytes: %q", len(s), s)
			}
		}
	})
}

// Package record makes what leaves the host of a line of the audit log: one flat
// record, the same for every receiver.
//
// Guarantees: each text of a record is one line of characters that can be shown and
// has a bound; an event that it does not know is a record too; it never fails.
// Does not cover: the truth of an event: audit.Verify looks at that.
// Requires: nothing.
// Spec fields touched: none.
package record

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/plain"
)

// The kinds of records that are made here; an event that names a kind keeps it.
const (
	Decision = "decision"
	Lost     = "lost"    // lines of the audit log that were not read
	Dropped  = "dropped" // records that a full queue or a receiver did not take
)

// Bounds of texts, in bytes: a name has at most 256 in Kubernetes and in Docker.
const (
	maxName    = 256
	maxMessage = 1024
)

// Record is what receivers get.
type Record struct {
	Seq       uint64    `json:"seq"`  // of the line, or of the last line before it
	Hash      string    `json:"hash"` // of that line
	Time      time.Time `json:"time"`
	Kind      string    `json:"kind"`
	Severity  Severity  `json:"severity"`
	Message   string    `json:"message"`
	Action    string    `json:"action,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Container Container `json:"container"`
	Profile   string    `json:"profile,omitempty"`
	Mode      string    `json:"mode,omitempty"`
	Technique string    `json:"technique,omitempty"` // MITRE ATT&CK
	Unnamed   uint32    `json:"unnamed,omitempty"`   // refusals before it that have no line
	Missing   uint64    `json:"missing,omitempty"`   // records that were lost or dropped

	Controls []string        `json:"-"` // one for each change
	Refusals []string        `json:"-"` // one for each refusal: its control
	Event    json.RawMessage `json:"event,omitempty"`
	Line     []byte          `json:"-"` // of the audit log, as it is there
}

// Container is whom a record is about.
type Container struct {
	ID        string `json:"id,omitempty"`
	Name      string `json:"name,omitempty"`
	Image     string `json:"image,omitempty"`
	Engine    string `json:"engine,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
}

// Of is the record of an entry of the audit log.
func Of(e audit.Entry, now time.Time) Record {
	if e.Gap != nil {
		return gap(e, now)
	}
	r := Record{Seq: e.Seq, Hash: e.Hash, Time: e.Time, Unnamed: e.Unnamed, Event: e.Event, Line: e.Raw}
	var event object
	if json.Unmarshal(e.Event, &event) != nil || event == nil {
		r.Kind, r.Severity, r.Message = "unknown", Warning, "an event that is no object"
		return r
	}
	r.Container = container(event)
	r.Profile, r.Mode = event.name("profile"), event.name("mode")
	r.Technique = event.name("technique")
	r.Action, r.Outcome = event.name("door"), event.name("outcome")
	if r.Kind = event.name("event"); r.Kind == "" {
		r.Kind = Decision
		decided(&r, event)
		return r
	}
	happened(&r, event)
	return r
}

func container(event object) Container {
	from := event
	if w := event.object("workload"); w != nil {
		from = w
	}
	c := Container{
		ID: event.name("id"), Name: from.name("name"), Image: from.name("image"), Engine: from.name("engine"),
		Namespace: from.name("namespace"), Pod: from.name("pod"),
	}
	if inPod := from.name("container"); c.Name == "" {
		c.Name = inPod
	}
	return c
}

// Called is how its users know the container.
func (c Container) Called() string {
	switch {
	case c.Pod != "" && c.Name != "":
		return c.Namespace + "/" + c.Pod + "/" + c.Name
	case c.Pod != "":
		return c.Namespace + "/" + c.Pod
	case c.Name != "":
		return c.Name
	}
	return c.ID
}

func decided(r *Record, event object) {
	for _, c := range event.list("changes") {
		r.Controls = append(r.Controls, c.name("control"))
	}
	var first object
	for i, c := range event.list("refusals") {
		if i == 0 {
			first = c
		}
		r.Refusals = append(r.Refusals, c.name("control"))
	}
	said := fmt.Sprintf("%s: %s %s by profile %s", r.Container.Called(), r.Action, r.Outcome, r.Profile)
	r.Severity = Info
	switch failure := event.text("failure"); {
	case r.Outcome == "refused":
		r.Severity = Warning
		if first != nil {
			said += ": " + first.text("field") + ": " + first.text("reason")
		} else if failure != "" {
			said += ": " + failure
		}
	case failure != "":
		r.Severity = Error
		said += ", and failed: " + failure
	case r.Outcome == "complained":
		r.Severity = Notice
		said += fmt.Sprintf(" (%d changes not made, %d refusals not made)", len(r.Controls), len(r.Refusals))
	case len(r.Controls) > 0:
		said += fmt.Sprintf(" (%d changes)", len(r.Controls))
	}
	r.Message = line(said, maxMessage)
}

// happened is an event that is no decision.
func happened(r *Record, event object) {
	r.Severity = Notice
	called := r.Container.Called()
	switch r.Kind {
	case "network":
		r.Message = fmt.Sprintf("%s: %d destinations were denied in the last hour", called, event.count("destinations"))
	case "names":
		r.Message = fmt.Sprintf("%s: %d names were refused", called, event.count("refused"))
		if failure := event.text("failure"); failure != "" {
			r.Severity, r.Message = Warning, called+": "+failure
		}
	default:
		said := event.text("message")
		if said == "" {
			said = r.Kind
		}
		r.Message = called + ": " + said
	}
	if s, ok := severities[event.name("severity")]; ok {
		r.Severity = s
	}
	r.Message = line(r.Message, maxMessage)
}

func gap(e audit.Entry, now time.Time) Record {
	event, err := json.Marshal(struct {
		Event string `json:"event"`
		*audit.Gap
	}{Lost, e.Gap})
	if err != nil {
		event = nil // numbers and our own words: it does not fail
	}
	r := Record{Seq: e.Seq, Hash: e.Hash, Time: now.UTC(), Kind: Lost, Severity: Critical, Missing: e.Gap.Lines, Event: event, Outcome: e.Gap.Why}
	switch e.Gap.Why {
	case audit.GapRotated:
		r.Severity = Error
		r.Message = fmt.Sprintf("lost: rotation took the lines %d to %d of the audit log away before they were sent", e.Gap.First, e.Gap.Last)
	case audit.GapRemoved:
		r.Message = fmt.Sprintf("lost: the lines %d to %d of the audit log were removed", e.Gap.First, e.Gap.Last)
	case audit.GapChanged:
		r.Message = fmt.Sprintf("line %d of the audit log was changed after it was read", e.Gap.First)
	case audit.GapReplaced:
		r.Message = fmt.Sprintf("the audit log was cut or replaced: line %d is not there; what is there is sent from its beginning", e.Seq)
	default:
		r.Severity = Error
		r.Message = fmt.Sprintf("lost: a line behind line %d of the audit log cannot be read", e.Seq)
	}
	return r
}

// OfDropped tells of records that were given up. after is the last line known.
func OfDropped(n uint64, why string, after audit.Position, now time.Time) Record {
	event, err := json.Marshal(map[string]any{"event": Dropped, "why": why, "lines": n})
	if err != nil {
		event = nil
	}
	return Record{
		Seq: after.Seq, Hash: after.Hash, Time: now.UTC(), Kind: Dropped, Severity: Error, Missing: n, Event: event, Outcome: why,
		Message: line(fmt.Sprintf("dropped: %d records: %s", n, why), maxMessage),
	}
}

// line is a text as one line with a bound. An escape may make it six times as long,
// so what is left of the bound is measured behind it.
func line(s string, most int) string {
	if shown := plain.Line(s); len(shown) <= most {
		return shown
	}
	return plain.Line(plain.Cut(s, most/6))
}

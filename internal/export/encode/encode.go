// Package encode writes records in the forms that receivers read: JSON Lines, CEF,
// ECS, syslog (RFC 5424), journald's native protocol, and the document of a webhook.
//
// Guarantees: one record is one record of the form, whatever its texts hold; a form
// with a bound is never longer than it; what had to be left out is said in it.
// Does not cover: the transport's own framing.
// Requires: nothing.
// Spec fields touched: none.
package encode

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/plain"
)

// Host is what a record does not know.
type Host struct {
	Name    string
	Version string // of hatchdog
}

// JSONLine is the line of the audit log as it is there, so that the chain can be
// followed where it arrives. A record without a line is {"notice": RECORD}.
func JSONLine(r record.Record) []byte {
	if len(r.Line) > 0 && json.Valid(r.Line) {
		return append(oneLine(r.Line), '\n')
	}
	return append(document(map[string]any{"notice": r}), '\n')
}

// Document is a record as a JSON object.
func Document(r record.Record) []byte {
	if len(r.Event) > 0 && !json.Valid(r.Event) {
		r.Event = nil
	}
	return document(r)
}

// document is JSON on one line of characters that can be shown.
func document(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// An event that is not JSON: callers have looked, so nothing is lost but form.
		return []byte(`{"notice":{"message":` + strconv.Quote(plain.Line(err.Error())) + `}}`)
	}
	return oneLine(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// oneLine escapes what is not to be seen: outside of texts JSON has none of it but
// white space, which goes.
func oneLine(doc []byte) []byte {
	if utf8.Valid(doc) && plain.Line(string(doc)) == string(doc) {
		return bytes.Clone(doc)
	}
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return []byte("null") // callers have looked
	}
	return []byte(plain.Line(b.String()))
}

// fit makes the form with texts cut shorter and shorter, until it has at most most
// bytes; 0 is no bound.
func fit(most int, form func(text int) []byte) []byte {
	const least = 8
	for text := 1024; ; text /= 2 {
		out := form(text)
		if most == 0 || len(out) <= most || text <= least {
			return out
		}
	}
}

func cut(s string, most int) string {
	if s = plain.Line(s); len(s) <= most {
		return s
	}
	return plain.Line(plain.Cut(s, most))
}

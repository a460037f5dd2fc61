package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/plain"
)

// The columns of the table of changes, for a terminal of 120.
const (
	fieldWidth = 33
	askedWidth = 20
	givenWidth = 29 // /sys/devices/virtual/powercap
	whyWidth   = 35
	valueLines = 3 // of a value, before it is cut
)

// printWide prints one line for each change, whatever its length.
func printWide(w io.Writer, changes []control.Attributed) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "CONTROL\tFIELD\tASKED\tGIVEN\tWHY")
	for _, c := range changes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", c.Control, harmless(c.Field), harmless(c.Before), harmless(c.After), harmless(c.Reason))
	}
	_ = table.Flush()
}

// printChanges prints what was changed, what takes most from an attacker first.
// all spells out each path of a list.
func printChanges(w io.Writer, changes []control.Attributed, all bool) {
	columns(w, []string{"FIELD"}, []string{"ASKED"}, []string{"GIVEN"}, []string{"WHY"})
	for _, s := range explain.Sections(changes) {
		fmt.Fprintf(w, "\n%s\n", s.Title)
		if !all {
			s.Changes = explain.Short(s.Changes)
		}
		printSection(w, s.Changes)
	}
}

func printSection(w io.Writer, changes []control.Attributed) {
	field, why := "", ""
	for _, same := range alike(changes) {
		c := same[0]
		var fields []string
		for _, s := range same {
			if s.Field != field { // several changes of one list
				fields = append(fields, wrap("  "+harmless(s.Field), fieldWidth)...)
			}
			field = s.Field
		}
		reason := wrap(harmless(c.Reason), whyWidth)
		if c.Reason == why {
			reason = []string{"(as above)"}
		}
		why = c.Reason
		asked, given := values(c.Change)
		columns(w, fields, asked, given, reason)
	}
}

// alike puts neighbours together that say the same of several fields, as for
// the sets of capabilities.
func alike(changes []control.Attributed) [][]control.Attributed {
	var groups [][]control.Attributed
	for i, c := range changes {
		if i > 0 {
			p := changes[i-1]
			if c.Control == p.Control && c.Before == p.Before && c.After == p.After && c.Reason == p.Reason && c.Before != "" {
				groups[len(groups)-1] = append(groups[len(groups)-1], c)
				continue
			}
		}
		groups = append(groups, []control.Attributed{c})
	}
	return groups
}

// values are a change's two sides. For a list that became shorter it counts the
// items that were asked for and spells out those that are left: the reason names
// the others.
func values(c control.Change) (asked, given []string) {
	before, after := explain.Items(c.Before), explain.Items(c.After)
	if len(before) <= valueLines || len(after) >= len(before) {
		return cut(wrap(harmless(c.Before), askedWidth)), cut(wrap(harmless(c.After), givenWidth))
	}
	asked = []string{fmt.Sprintf("%d (--wide)", len(before))}
	if c.After == "" || c.After == "none" {
		return asked, []string{"none"}
	}
	return asked, wrap(fmt.Sprintf("%d: %s", len(after), harmless(c.After)), givenWidth)
}

func columns(w io.Writer, field, asked, given, why []string) {
	at := func(lines []string, n int) string {
		if n < len(lines) {
			return lines[n]
		}
		return ""
	}
	for n := range max(len(field), len(asked), len(given), len(why)) {
		line := fmt.Sprintf("%-*s %-*s %-*s %s", fieldWidth, at(field, n), askedWidth, at(asked, n), givenWidth, at(given, n), at(why, n))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

func cut(lines []string) []string {
	if len(lines) > valueLines {
		return append(lines[:valueLines-1:valueLines-1], "... (--wide)")
	}
	return lines
}

// wrap breaks text at spaces and commas, and a word that is too long where it
// must be.
func wrap(text string, width int) []string {
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var lines []string
	line := indent
	for _, word := range strings.Fields(strings.ReplaceAll(text, ",", ", ")) {
		for len(indent)+len(word) > width {
			n := width - len(indent)
			if len(line) > len(indent) {
				lines = append(lines, line)
			}
			lines = append(lines, indent+word[:n])
			line, word = indent, word[n:]
		}
		switch {
		case line == indent:
			line += word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// harmless keeps a value from moving the terminal's cursor.
func harmless(s string) string {
	return orDash(plain.Line(s))
}

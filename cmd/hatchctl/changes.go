package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/hatchdog/hatchdog/internal/control"
)

// The columns of the table of changes, for a terminal of 120.
const (
	fieldWidth = 33
	valueWidth = 22
	whyWidth   = 39
	valueLines = 3 // of a value, before it is cut
)

// printChanges prints what was changed, one control after the other. wide is
// one line for each change, whatever its length.
func printChanges(w io.Writer, changes []control.Attributed, wide bool) {
	if wide {
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(table, "CONTROL\tFIELD\tASKED\tGIVEN\tWHY")
		for _, c := range changes {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", c.Control, c.Field, harmless(c.Before), harmless(c.After), c.Reason)
		}
		_ = table.Flush()
		return
	}
	columns(w, []string{"FIELD"}, []string{"ASKED"}, []string{"GIVEN"}, []string{"WHY"})
	last, why := "", ""
	for _, c := range changes {
		if c.Control != last {
			fmt.Fprintf(w, "\n%s\n", c.Control)
			last = c.Control
		}
		reason := wrap(c.Reason, whyWidth)
		if c.Reason == why {
			reason = []string{"(as above)"}
		}
		why = c.Reason
		columns(w, wrap("  "+c.Field, fieldWidth), cut(wrap(harmless(c.Before), valueWidth)), cut(wrap(harmless(c.After), valueWidth)), reason)
	}
}

func columns(w io.Writer, field, asked, given, why []string) {
	at := func(lines []string, n int) string {
		if n < len(lines) {
			return lines[n]
		}
		return ""
	}
	for n := range max(len(field), len(asked), len(given), len(why)) {
		line := fmt.Sprintf("%-*s %-*s %-*s %s", fieldWidth, at(field, n), valueWidth, at(asked, n), valueWidth, at(given, n), at(why, n))
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
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	return orDash(s)
}

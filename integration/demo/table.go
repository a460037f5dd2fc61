package main

import (
	"fmt"
	"html"
	"strings"
)

// The widths of the columns, for a terminal of 110.
const (
	whatWidth   = 38
	resultWidth = 34
	ruleWidth   = whatWidth + 2*resultWidth + 4
)

// shown are the findings of the table, in its order.
var shown = []string{
	"root inside is, on the host", "the cloud's metadata, 169.254.169.254", "capabilities it could regain", "setuid root program, run as uid 1000",
	"what it learns of the host", "make a device node", "raw network packets", "chroot", "namespaces it shares with the host", "processes it may start",
}

// compare puts two runs side by side. Each row has to differ: a host on which
// one does not shows less than hatchdog does.
func compare(plain, held []finding) (string, error) {
	var t strings.Builder
	rule := strings.Repeat("-", ruleWidth)
	fmt.Fprintf(&t, "\n%-*s  %-*s  %s\n%s\n", whatWidth, "", resultWidth, "runc", "hatchdog", rule)
	for _, what := range shown {
		a, b := result(plain, what), result(held, what)
		if a == "" || b == "" {
			return "", fmt.Errorf("nothing was found out about %q", what)
		}
		if a == b {
			a += " (the same on this host)"
		}
		row(&t, what, a, b)
	}
	fmt.Fprintln(&t, rule)
	return t.String(), nil
}

func result(all []finding, what string) string {
	for _, f := range all {
		if f.What == what {
			return f.Result
		}
	}
	return ""
}

func row(t *strings.Builder, what, plain, held string) {
	a, b, c := wrap(what, whatWidth), wrap(plain, resultWidth), wrap(held, resultWidth)
	for n := range max(len(a), len(b), len(c)) {
		line := fmt.Sprintf("%-*s  %-*s  %s", whatWidth, at(a, n), resultWidth, at(b, n), at(c, n))
		fmt.Fprintln(t, strings.TrimRight(line, " "))
	}
}

func at(lines []string, n int) string {
	if n < len(lines) {
		return lines[n]
	}
	return ""
}

// wrap breaks text at spaces.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// The picture's measures, in pixels: a letter of 14 px monospace is 8.45 wide.
const (
	letterWidth = 8.45
	lineHeight  = 20
	margin      = 16
)

// picture is the table as SVG.
func picture(table string) []byte {
	lines := strings.Split(strings.Trim(table, "\n"), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" role="img" aria-label="What a program can do under runc and under hatchdog">`,
		letterWidth*ruleWidth+2*margin, len(lines)*lineHeight+2*margin)
	b.WriteString("\n<rect width=\"100%\" height=\"100%\" rx=\"6\" fill=\"#14181f\"/>\n<g font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d7dde6\">\n")
	for i, line := range lines {
		fmt.Fprintf(&b, "<text x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", margin, margin+(i+1)*lineHeight-6, html.EscapeString(line))
	}
	b.WriteString("</g>\n</svg>\n")
	return []byte(b.String())
}

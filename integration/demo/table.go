package main

import (
	"fmt"
	"strings"
)

// The widths of the columns, for a terminal of 110.
const (
	whatWidth   = 30
	resultWidth = 38
	ruleWidth   = whatWidth + 2*resultWidth + 4
)

// compare prints two runs side by side.
func compare(plain, held []finding) {
	rule := strings.Repeat("-", ruleWidth)
	fmt.Printf("\n%-*s  %-*s  %s\n%s\n", whatWidth, "", resultWidth, "runc", "hatchdog", rule)
	for i, p := range plain {
		h := finding{Result: "?"}
		if i < len(held) {
			h = held[i]
		}
		a, b, c := wrap(p.What, whatWidth), wrap(p.Result, resultWidth), wrap(h.Result, resultWidth)
		for n := range max(len(a), len(b), len(c)) {
			line := fmt.Sprintf("%-*s  %-*s  %s", whatWidth, at(a, n), resultWidth, at(b, n), at(c, n))
			fmt.Println(strings.TrimRight(line, " "))
		}
	}
	fmt.Println(rule)
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

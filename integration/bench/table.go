package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// pairs are the figures of the two sides, round by round.
type pairs [2][]float64

// row is one line of the table. adds, ratio and leaves are budgets; 0 is none.
type row struct {
	what, unit  string
	of          pairs
	adds, ratio float64
	leaves      float64 // of a rate, at least: the ratio
	floor       float64 // what is added is told as a multiple of it too; 0 is not
	floors      float64 // as many of them may be added
}

func (b *bench) row(r row) { b.rows = append(b.rows, r) }

// difference is the median of what each round added: what slows the machine
// down for some rounds slows both sides.
func (r row) difference() float64 {
	var all []float64
	for i := range min(len(r.of[0]), len(r.of[1])) {
		all = append(all, r.of[1][i]-r.of[0][i])
	}
	return median(all)
}

func (r row) quotient() float64 { return median(r.of[1]) / median(r.of[0]) }

// shown is the quotient as it is printed, by which it is judged too.
func (r row) shown() float64 { return math.Round(r.quotient()*100) / 100 }

func (r row) verdict() string {
	switch {
	case r.floors > 0:
		times := math.Round(r.difference()/r.floor*10) / 10
		return fmt.Sprintf("adds %.1f floors at most: %s; %.1f times the floor", r.floors, held(times <= r.floors), times)
	case r.adds > 0 && r.floor > 0:
		return fmt.Sprintf("adds %.1f at most: %s; %.1f times the floor", r.adds, held(r.difference() <= r.adds), r.difference()/r.floor)
	case r.adds > 0:
		return fmt.Sprintf("adds %.1f at most: %s", r.adds, held(r.difference() <= r.adds))
	case r.ratio > 0:
		return fmt.Sprintf("%.2f at most: %s", r.ratio, held(r.shown() <= r.ratio))
	case r.leaves > 0:
		if r.shown() < r.leaves {
			return fmt.Sprintf("%.2f at least: UNDER", r.leaves)
		}
		return fmt.Sprintf("%.2f at least: held", r.leaves)
	}
	if r.floor > 0 {
		return fmt.Sprintf("none; %.1f times the floor", r.difference()/r.floor)
	}
	return "none"
}

func held(ok bool) string {
	if ok {
		return "held"
	}
	return "OVER"
}

// median is the middle of all, the mean of the two in the middle of an even
// number.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(all))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// print prints the table, as Markdown, whose first column is of whoever hatchdog
// is held against. before is the load average at the beginning.
func (b *bench) print(w io.Writer, against, called, before string) {
	fmt.Fprintf(w, "hatchdog against %s: medians of %d rounds, alternating.\n", called, b.rounds)
	fmt.Fprintf(w, "Docker's spec; bundle, root file system, records and audit log on a tmpfs; profile restricted.\n")
	b.printMachine(w, before)
	const line = "| %-76s | %12s | %12s | %13s | %5s | %s |\n"
	fmt.Fprintf(w, line, "", against, "hatchdog", "adds", "ratio", "budget")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, r := range b.rows {
		fmt.Fprintf(w, line, r.what, r.figure("%.2f", median(r.of[0])), r.figure("%.2f", median(r.of[1])), r.figure("%+.2f", r.difference()),
			fmt.Sprintf("%.2f", r.quotient()), r.verdict())
	}
}

func (r row) figure(format string, value float64) string {
	return fmt.Sprintf(format+" %s", value, r.unit)
}

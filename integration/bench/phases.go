package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// phase is what one part of a create took, in every round.
type phase struct {
	name          string
	micros, pages []float64
}

// measurePhases builds hatchdog so that it notes the steps of a create, and runs it
// before a low-level runtime that does nothing.
func (b *bench) measurePhases() error {
	if err := os.MkdirAll(b.path("phases"), 0o755); err != nil {
		return err
	}
	program := b.path("phases/hatchdog")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "hatchdog_phases", "-o", program, "github.com/hatchdog/hatchdog/cmd/hatchdog")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("the build that notes phases: %w: %s", err, out)
	}
	for round := range b.rounds {
		id := fmt.Sprintf("phases-%d", round)
		spec, err := b.onOverlay(id, "overlay")
		if err != nil {
			return err
		}
		if err := b.bundle(id, spec); err != nil {
			return err
		}
		file := b.path("phases", id)
		s := side{"phases", program, b.path("noop/userns.yaml")}
		if err := os.Setenv("HATCHDOG_PHASES", file); err != nil {
			return err
		}
		if _, err := b.call(s, "create", "--bundle", b.path("bundles", id), id); err != nil {
			return err
		}
		if _, err := b.call(s, "delete", id); err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err == nil {
			err = b.noted(string(text))
		}
		if err != nil {
			return fmt.Errorf("phases: %w", err)
		}
	}
	return os.Unsetenv("HATCHDOG_PHASES")
}

var errPhase = errors.New("not a line of a step")

// noted adds the steps of one create: STEP NANOSECONDS PAGES.
func (b *bench) noted(text string) error {
	var before [2]float64
	i := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return errPhase
		}
		nanos, err1 := strconv.ParseFloat(fields[1], 64)
		pages, err2 := strconv.ParseFloat(fields[2], 64)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if i == len(b.phases) {
			b.phases = append(b.phases, phase{name: fields[0]})
		}
		p := &b.phases[i]
		if i > 0 {
			p.micros = append(p.micros, (nanos-before[0])/1000)
		}
		p.pages = append(p.pages, pages-before[1])
		before, i = [2]float64{nanos, pages}, i+1
	}
	return nil
}

// printPhases prints what is before each step, the first one's time left out: a
// process does not know when it was started.
func (b *bench) printPhases(w io.Writer) {
	const line = "| %-12s | %10s | %8s |\n"
	fmt.Fprint(w, "\nA create with a user namespace, up to each step:\n\n")
	fmt.Fprintf(w, line+"|---|---|---|\n", "up to", "time", "pages")
	for _, p := range b.phases {
		took := "-"
		if len(p.micros) > 0 {
			took = fmt.Sprintf("%.0f us", median(p.micros))
		}
		fmt.Fprintf(w, line, p.name, took, fmt.Sprintf("%.0f", median(p.pages)))
	}
}

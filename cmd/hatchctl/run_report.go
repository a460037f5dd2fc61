package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

// runReport is what a run ends with.
type runReport struct {
	Name  string `json:"name"`
	Code  int    `json:"code"`
	Ended string `json:"ended,omitempty"` // time, output, memory, changed, cancelled; empty: by itself
	// Changed is the path that something on the host replaced.
	Changed string `json:"changed,omitempty"`
	copied  bool   // that was in the copy that --overlay made
	Took    string `json:"took"`
	took    time.Duration
	Denied  []lack `json:"denied"` // worst first
	// Unseen says what is denied without being counted.
	Unseen []string `json:"unseen"`
	Hidden []string `json:"hidden"` // paths in what was granted
	// Learned is there with --learn.
	Learned *learned `json:"learned,omitempty"`
}

// unseen is denied without anybody counting it: that would take a probe in the
// kernel.
func unseen(named bool) []string {
	all := []string{"files that the box does not have", "system calls that the filter denies", "writes to what is read-only"}
	if !named {
		all = append(all, "names that were looked up")
	}
	return all
}

func newReport(r *run.Request, out run.Outcome) runReport {
	rep := runReport{Name: r.Box.ID, Code: out.Code, Ended: out.Ended, Changed: out.Changed, copied: r.Box.Host(out.Changed) != out.Changed, Took: out.Took.Round(time.Millisecond).String(), took: out.Took, Unseen: unseen(r.Box.Named()), Denied: []lack{}, Hidden: []string{}}
	rep.Denied = append(rep.Denied, lacks(r, out)...)
	for _, h := range r.Box.Found.Hidden {
		rep.Hidden = append(rep.Hidden, h.Path)
	}
	return rep
}

func report(errs io.Writer, f *runFlags, to *reportFile, r *run.Request, rep runReport) error {
	w := errs
	if to != nil {
		defer to.file.Close()
		if err := to.empty(); err != nil {
			return err
		}
		w = to.file
	}
	switch f.report {
	case "json":
		return json.NewEncoder(w).Encode(rep)
	case "sarif":
		rep.line(errs, r.Box.Limits)
		return json.NewEncoder(w).Encode(rep.sarif(r.Box.Args[0]))
	case "none":
		rep.line(w, r.Box.Limits)
		return nil
	}
	rep.line(w, r.Box.Limits)
	rep.text(w)
	if rep.Learned != nil {
		rep.Learned.print(w, f.given, r)
	}
	return nil
}

// line is the one that tells who ended the command.
func (rep runReport) line(w io.Writer, l sandbox.Limits) {
	switch rep.Ended {
	case "time":
		fmt.Fprintf(w, "hatchctl: ended: --time %s was over (exit code %d)\n", l.Time, rep.Code)
	case "output":
		fmt.Fprintf(w, "hatchctl: ended: it printed more than --output %s (exit code %d)\n", units.BytesSize(float64(l.Output)), rep.Code)
	case "cancelled":
		fmt.Fprintf(w, "hatchctl: ended: cancelled by who started it (exit code %d)\n", rep.Code)
	case "changed":
		fmt.Fprintf(w, "hatchctl: ended: %s: look at it (exit code %d)\n", rep.cameOpen(), rep.Code)
	case "memory":
		fmt.Fprintf(w, "hatchctl: ended: killed for lack of memory, --memory %s (exit code %d)\n", units.BytesSize(float64(l.Memory)), rep.Code)
	}
}

// cameOpen says what happened to the path that came open, and where.
func (rep runReport) cameOpen() string {
	where := "on the host"
	if rep.copied {
		where = "in the copy that --overlay made, and not on the host"
	}
	return harmless(rep.Changed) + " was replaced " + where + ", and what is there now was open to the command"
}

func (rep runReport) text(w io.Writer) {
	if len(rep.Denied) == 0 {
		return
	}
	fmt.Fprintf(w, "hatchctl: %s did not get\n", rep.Name)
	for _, d := range rep.Denied {
		fmt.Fprintf(w, "  %d× %s", d.Count, harmless(d.What))
		if d.Flag != "" {
			fmt.Fprintf(w, "  (%s)", harmless(d.Flag))
		}
		fmt.Fprintln(w)
	}
	if n := len(rep.Hidden); n > 0 {
		fmt.Fprintf(w, "  %d paths of what was granted are hidden (--report json names them)\n", n)
	}
	fmt.Fprintf(w, "  not counted: %s\n", strings.Join(rep.Unseen, ", "))
}

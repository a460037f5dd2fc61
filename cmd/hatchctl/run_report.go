package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
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
	Ended string `json:"ended,omitempty"` // time, output, memory, changed; empty: by itself
	// Changed is the path that something on the host replaced.
	Changed string `json:"changed,omitempty"`
	Took    string `json:"took"`
	Denied  []lack `json:"denied"` // worst first
	// Unseen says what is denied without being counted.
	Unseen []string `json:"unseen"`
	Hidden []string `json:"hidden"` // paths in what was granted
}

// lack is one kind of thing that the command did not get.
type lack struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
	Flag  string `json:"flag,omitempty"` // that would grant it
}

// unseen is denied without anybody counting it: that would take a probe in the
// kernel.
func unseen() []string {
	return []string{"files that the box does not have", "names that were looked up", "system calls that the filter denies", "writes to what is read-only"}
}

func newReport(r *run.Request, out run.Outcome) runReport {
	rep := runReport{Name: r.Box.ID, Code: out.Code, Ended: out.Ended, Changed: out.Changed, Took: out.Took.Round(time.Millisecond).String(), Unseen: unseen(), Denied: []lack{}, Hidden: []string{}}
	l := r.Box.Limits
	add := func(n int64, flag, format string, args ...any) {
		if n > 0 {
			rep.Denied = append(rep.Denied, lack{fmt.Sprintf(format, args...), n, flag})
		}
	}
	for _, n := range out.Noted {
		if n.Inbound {
			continue
		}
		to := n.Addr.String()
		if n.Port > 0 {
			to = "[" + to + "]:" + strconv.Itoa(int(n.Port))
			if n.Addr.Is4() {
				to = n.Addr.String() + ":" + strconv.Itoa(int(n.Port))
			}
		}
		flag := "--allow " + to + "/" + n.Proto
		if n.Addr.IsLinkLocalUnicast() {
			flag = "" // the cloud's credentials: nobody is led there
		}
		add(int64(n.Packets), flag, "packets to %s (%s)", to, n.Proto)
	}
	add(out.NoWay, "--allow ADDRESS:PORT", "sends to addresses, where no way leads: there is no network")
	switch out.Ended {
	case "time":
		add(1, "--time "+(2*l.Time).String(), "more time than %s", l.Time)
	case "output":
		add(1, "--output "+units.BytesSize(float64(2*l.Output)), "more output than %s", units.BytesSize(float64(l.Output)))
	}
	add(out.Counted.OOMKills, "--memory "+units.BytesSize(float64(2*l.Memory)), "more memory than %s: processes killed", units.BytesSize(float64(l.Memory)))
	add(out.Counted.PidsHits, "--pids "+strconv.FormatInt(2*l.Pids, 10), "more processes than %d: forks refused", l.Pids)
	for _, h := range r.Box.Found.Hidden {
		rep.Hidden = append(rep.Hidden, h.Path)
	}
	return rep
}

func report(w io.Writer, f *runFlags, to *reportFile, r *run.Request, out run.Outcome) error {
	rep := newReport(r, out)
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
	case "none":
		rep.line(w, r.Box.Limits)
		return nil
	}
	rep.line(w, r.Box.Limits)
	rep.text(w)
	return nil
}

// line is the one that tells who ended the command.
func (rep runReport) line(w io.Writer, l sandbox.Limits) {
	switch rep.Ended {
	case "time":
		fmt.Fprintf(w, "hatchctl: ended: --time %s was over (exit code %d)\n", l.Time, rep.Code)
	case "output":
		fmt.Fprintf(w, "hatchctl: ended: it printed more than --output %s (exit code %d)\n", units.BytesSize(float64(l.Output)), rep.Code)
	case "changed":
		fmt.Fprintf(w, "hatchctl: ended: %s was replaced on the host, and what is there now was open to the command: look at it (exit code %d)\n", harmless(rep.Changed), rep.Code)
	case "memory":
		fmt.Fprintf(w, "hatchctl: ended: killed for want of memory, --memory %s (exit code %d)\n", units.BytesSize(float64(l.Memory)), rep.Code)
	}
}

func (rep runReport) text(w io.Writer) {
	if len(rep.Denied) == 0 {
		return
	}
	fmt.Fprintf(w, "hatchctl: %s did not get\n", rep.Name)
	for _, d := range rep.Denied {
		fmt.Fprintf(w, "  %d× %s", d.Count, harmless(d.What))
		if d.Flag != "" {
			fmt.Fprintf(w, "  (%s)", d.Flag)
		}
		fmt.Fprintln(w)
	}
	if n := len(rep.Hidden); n > 0 {
		fmt.Fprintf(w, "  %d paths of what was granted are hidden (--report json names them)\n", n)
	}
	fmt.Fprintf(w, "  not counted: %s\n", strings.Join(rep.Unseen, ", "))
}

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// tell has a finding answered, and tells it where it was not told yet: behind its
// answers, where it has some. Without a
// container it is about the host. at is when it was read.
func (w *watcher) tell(c *watched, f watch.Finding, at time.Time) {
	key := ""
	a := watch.Alert{Event: "alert", Time: time.Now().UTC(), Finding: f}
	if c != nil {
		key = c.Key()
		d := c.Entry.Record.Decision
		a.ID, a.Root, a.Mode, a.Profile, a.Container = d.ID, d.Root, d.Mode, d.Profile, watch.Names(d.Workload)
	}
	count, told := w.ledger.Count(key, f, a.Time)
	if told {
		a.Identify() // before it is killed
	}
	a.Count = count
	if c != nil && c.Held && !f.Doubt {
		if todo := c.wanted(f.Kind, told); len(todo) > 0 {
			w.queue(c, &job{a, c, c.Container, todo, at, told})
			return
		}
	}
	if told {
		w.publish(a)
	}
}

func (w *watcher) publish(a watch.Alert) {
	w.print(a)
	w.log(a)
}

func (w *watcher) log(a watch.Alert) {
	if err := audit.TryAppend(w.audit, a, a.Time); err != nil {
		fmt.Fprintln(w.errs, "hatchctl: an alert is not in the audit log:", err)
	}
}

func (w *watcher) print(a watch.Alert) {
	if w.asJSON {
		line, err := json.Marshal(a)
		if err == nil {
			fmt.Fprintln(w.out, string(line))
		}
		return
	}
	name := a.Container["name"]
	switch {
	case name == "" && a.ID != "":
		name = shortID(a.ID)
	case name == "":
		name = "host"
	}
	line := fmt.Sprintf("%s %s %s %s: %s", a.Time.Format(time.RFC3339), a.Severity, a.Kind, name, a.What)
	if a.Count > 1 {
		line += fmt.Sprintf(" (%d times)", a.Count)
	}
	line += fmt.Sprintf(" [%s, %s]", a.Technique, a.Source)
	if p := a.Process; p != nil {
		line += fmt.Sprintf(" process %d, user %d", p.Pid, p.UID)
		if len(p.Ancestry) > 0 {
			line += ", below " + strings.Join(p.Ancestry, " < ")
		}
	}
	for _, one := range a.Answers {
		line += fmt.Sprintf("; %s: %s (%.1f ms)", one.Answer, one.Result, one.After)
	}
	fmt.Fprintln(w.out, harmless(line))
}

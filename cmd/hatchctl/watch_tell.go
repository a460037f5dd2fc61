package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// tell answers a finding, and tells it where it was not told yet. Without a
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
	if c != nil && c.Held && !f.Doubt {
		a.Answers = w.answer(c, f, at, told)
	}
	if !told {
		return
	}
	a.Count = count
	w.print(a)
	w.log(a)
}

// tellAnswer tells of an answer that took its time.
func (w *watcher) tellAnswer(a lateAnswer) {
	a.Time, a.Answers = time.Now().UTC(), []watch.Answer{a.done}
	w.print(a.Alert)
	w.log(a.Alert)
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

// lateAnswer is an alert with an answer that was given apart from the others.
type lateAnswer struct {
	watch.Alert
	done watch.Answer
}

// answerPause is how long the same answer is not given again: the events of what
// was frozen or killed are still read.
const answerPause = time.Second

// answer does what the profile says, quick things first. An event that was told
// already is answered too: it goes on.
func (w *watcher) answer(c *watched, f watch.Finding, at time.Time, told bool) []watch.Answer {
	if c.answered == nil {
		c.answered = map[policy.Answer]time.Time{}
	}
	wanted := map[policy.Answer]bool{}
	for _, a := range c.answers(f.Kind) {
		wanted[a] = time.Since(c.answered[a]) > answerPause && (told || a != policy.AnswerCapture)
	}
	var all []watch.Answer
	for _, one := range []struct {
		answer policy.Answer
		do     func(*watched) error
		result string
	}{
		{policy.AnswerFreeze, (*watched).freeze, "all of its processes are frozen"},
		{policy.AnswerIsolate, (*watched).isolate, "it is cut off the network"},
		{policy.AnswerCapture, nil, "it is being captured"},
		{policy.AnswerKill, (*watched).kill, "all of its processes are killed"},
	} {
		if !wanted[one.answer] {
			continue
		}
		if one.do == nil {
			// Before they are killed, there must be something to look at.
			w.capture(c, f, at, wanted[policy.AnswerKill])
		} else if err := one.do(c); err != nil {
			one.result = "it failed: " + err.Error()
		}
		c.answered[one.answer] = time.Now()
		all = append(all, watch.Answer{Answer: one.answer, Result: one.result, After: float64(time.Since(at).Microseconds()) / 1000})
	}
	return all
}

// answers are those of its profile. A record of complain mode may have none.
func (c *watched) answers(k watch.Kind) policy.Answers {
	if c.Entry.Record.Ceiling == nil {
		return nil
	}
	return c.Entry.Record.Ceiling.Detect.For(string(k))
}

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// Answers are given beside the watch, so that one that takes its time keeps no event
// back: those of one container in the order of the events, those of several at once.

// answerPause is how long the same answer is not given again: the events of what
// was frozen or killed are still read.
const answerPause = time.Second

// job is an alert with the answers that it wants.
type job struct {
	alert watch.Alert
	of    *watched
	start *watch.Container // the start of the container that the event is of
	todo  []policy.Answer
	at    time.Time // when the event was read
	told  bool      // the alert is to be told, and not only answered
}

// answers are what has to be done yet for a container, and what was done.
type answers struct {
	jobs    []*job
	busy    bool
	pending map[policy.Answer]int
	given   map[policy.Answer]time.Time
}

// finished is a job that is done, or an alert that is told again with a late answer.
type finished struct {
	job   *job
	alert watch.Alert
}

// inOrder are the answers, quick things first.
func inOrder() []policy.Answer {
	return []policy.Answer{policy.AnswerFreeze, policy.AnswerIsolate, policy.AnswerCapture, policy.AnswerKill}
}

// wanted are the answers that its profile has for a kind. One that is being given, or
// just was, is left out. An event that was told already is answered too: it goes on.
func (c *watched) wanted(k watch.Kind, told bool) []policy.Answer {
	var all []policy.Answer
	for _, a := range inOrder() {
		if (told || a != policy.AnswerCapture) && c.has(k, a) && c.pending[a] == 0 && time.Since(c.given[a]) > answerPause {
			all = append(all, a)
		}
	}
	return all
}

// has is true for an answer of its profile. A record of complain mode may have none.
func (c *watched) has(k watch.Kind, a policy.Answer) bool {
	if c.Entry.Record.Ceiling == nil {
		return false
	}
	for _, one := range c.Entry.Record.Ceiling.Detect.For(string(k)) {
		if one == a {
			return true
		}
	}
	return false
}

func (w *watcher) queue(c *watched, j *job) {
	if c.pending == nil {
		c.pending, c.given = map[policy.Answer]int{}, map[policy.Answer]time.Time{}
	}
	for _, a := range j.todo {
		c.pending[a]++
	}
	c.jobs = append(c.jobs, j)
	w.next(c)
}

// next begins the next job of a container, where none is under way.
func (w *watcher) next(c *watched) {
	if c.busy || len(c.jobs) == 0 {
		return
	}
	j := c.jobs[0]
	c.jobs, c.busy = c.jobs[1:], true
	w.running++
	go func() {
		j.alert.Answers = w.give(j)
		w.done <- finished{j, j.alert}
	}()
}

// finish tells what was done, and goes on.
func (w *watcher) finish(f finished) {
	if f.job == nil {
		f.alert.Time = time.Now().UTC()
		w.publish(f.alert)
		return
	}
	w.running--
	c := f.job.of
	for _, a := range f.job.todo {
		c.pending[a]--
		c.given[a] = time.Now()
	}
	c.busy = false
	if f.job.told {
		w.publish(f.alert)
	}
	w.next(c)
}

// give does what is to be done.
func (w *watcher) give(j *job) []watch.Answer {
	var all []watch.Answer
	for _, a := range j.todo {
		result, err := "", error(nil)
		switch a {
		case policy.AnswerFreeze:
			result, err = "all of its processes are frozen", w.do.freeze(j.start)
		case policy.AnswerIsolate:
			result, err = "it is cut off the network", w.do.isolate(j.start)
		case policy.AnswerKill:
			result, err = "all of its processes are killed", w.do.kill(j.start)
		case policy.AnswerCapture:
			result = "it is being captured"
			w.capture(j)
		}
		if err != nil {
			result = "it failed: " + err.Error()
		}
		all = append(all, watch.Answer{Answer: a, Result: result, After: float64(time.Since(j.at).Microseconds()) / 1000})
	}
	return all
}

// doing are the answers that touch the host.
type doing struct {
	freeze, isolate, kill func(*watch.Container) error
}

// captureBeforeKill is how long a kill waits for the capture before it. A file system
// that does not answer, whose server may be in the container, holds up a capture.
const captureBeforeKill = 10 * time.Second

// capture keeps what the container looks like, and is waited for only where it is
// killed next. Its alert is told again with the file.
func (w *watcher) capture(j *job) {
	late := j.alert
	late.Count, late.Answers = 1, nil
	do := func() finished {
		file, sum, err := w.o.captureTo(filepath.Join(filepath.Dir(w.audit.Path), "captures"), late.ID, j.start.Init)
		result := fmt.Sprintf("%s, SHA-256 %s", file, sum)
		if err != nil {
			result = "it failed: " + err.Error()
		}
		late.Answers = []watch.Answer{{Answer: policy.AnswerCapture, Result: result, After: float64(time.Since(j.at).Microseconds()) / 1000}}
		return finished{alert: late}
	}
	ended := make(chan struct{})
	go func() {
		one := do()
		close(ended)
		w.done <- one
	}()
	if j.todo[len(j.todo)-1] == policy.AnswerKill {
		select {
		case <-ended:
		case <-time.After(captureBeforeKill):
		}
	}
}

// end gives answers their time that are under way, or wait, when the watch ends.
func (w *watcher) end() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for w.running > 0 {
		select {
		case f := <-w.done:
			w.finish(f)
		case <-ctx.Done():
			fmt.Fprintln(w.errs, "hatchctl: the watch ends before all answers are given")
			return
		}
	}
}

package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/freeze"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/watch"
)

func answering(t *testing.T, do doing) *watcher {
	t.Helper()
	return &watcher{
		o: &options{}, out: io.Discard, errs: io.Discard, audit: policy.Audit{Path: filepath.Join(t.TempDir(), "audit.jsonl")},
		all: map[string]*watched{}, bySpace: map[uint32][]*watched{}, done: make(chan finished), do: do,
	}
}

func boxOf(id string, detect policy.DetectRules) *watched {
	record := &decision.Record{Ceiling: &policy.Profile{Detect: detect}}
	record.Decision.ID = id
	return &watched{Container: &watch.Container{Entry: decision.Entry{ID: id, Record: record}, Held: true}}
}

// An answer that hangs keeps back no other container's, and comes before the next of
// its own.
func TestAnswersAreGivenBesideAndInOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	did := func(what string) func(*watch.Container) error {
		return func(c *watch.Container) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what+" "+c.Entry.ID)
			return nil
		}
	}
	hang := make(chan struct{})
	w := answering(t, doing{did("freeze"), func(c *watch.Container) error {
		if c.Entry.ID == "slow" {
			<-hang
		}
		return did("isolate")(c)
	}, did("kill")})
	detect := policy.DetectRules{Metadata: policy.Answers{policy.AnswerIsolate}, Escape: policy.Answers{policy.AnswerKill, policy.AnswerFreeze}}
	slow, quick := boxOf("slow", detect), boxOf("quick", detect)
	w.tell(slow, watch.Finding{Kind: watch.Metadata}, time.Now())
	w.tell(slow, watch.Finding{Kind: watch.Escape}, time.Now())
	w.tell(slow, watch.Finding{Kind: watch.Metadata, Subject: "other"}, time.Now()) // it is being isolated
	w.tell(quick, watch.Finding{Kind: watch.Metadata}, time.Now())
	w.finish(<-w.done)
	if want := []string{"isolate quick"}; !slices.Equal(order, want) {
		t.Fatalf("%q", order)
	}
	close(hang)
	w.end()
	if want := []string{"isolate quick", "isolate slow", "freeze slow", "kill slow"}; !slices.Equal(order, want) || w.running != 0 {
		t.Errorf("%q, %d", order, w.running)
	}
	if lines, _ := os.ReadFile(w.audit.Path); strings.Count(string(lines), `"event":"alert"`) != 4 {
		t.Errorf("%s", lines)
	}
}

// An event of a start that is over answers no later one: its control group is another,
// whatever its name, and its pid namespace's number may have come again.
func TestNoAnswerForAnEarlierStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "group")
	group := map[string]string{"freezer": dir}
	made := func() string {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "freezer.state")
		if err := os.WriteFile(file, []byte("THAWED\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	made()
	c := &watch.Container{Given: &lowlevel.Given{Cgroups: group}, Group: freeze.MarkOf(group)}
	if err := os.Rename(dir, dir+".old"); err != nil { // its inode is not given again
		t.Fatal(err)
	}
	file := made()
	for name, do := range map[string]func(*watch.Container) error{"freeze": freezeAll, "kill": killAll} {
		if err := do(c); err == nil {
			t.Errorf("%s: the later start was answered", name)
		}
	}
	if state, _ := os.ReadFile(file); string(state) != "THAWED\n" {
		t.Errorf("%q", state)
	}

	later := &watched{Container: &watch.Container{Init: lowlevel.Init{Pid: 7, Started: 100}, Held: true}}
	w := answering(t, doing{})
	w.bySpace[7] = []*watched{later}
	for since, want := range map[time.Duration]bool{999 * time.Millisecond: true, time.Second: false} {
		if got := later.Before(probe.Sight{Booted: since}); got != want {
			t.Errorf("%s: %v", since, got)
		}
	}
	w.sight(timed{probe.Sight{Space: 7, Kind: probe.SawCall, Call: probe.CallBPF, Booted: 999 * time.Millisecond}, time.Now()})
	if _, err := os.Stat(w.audit.Path); err == nil {
		t.Error("the event of an earlier start was told of")
	}
}

// A look that began before a container was started again says nothing of the new start.
func TestALookOfAnEarlierStartIsNotTold(t *testing.T) {
	w := answering(t, doing{})
	now := boxOf("again", policy.DetectRules{})
	now.Init = lowlevel.Init{Pid: 8, Started: 200}
	w.all[now.Key()] = now
	before := &watch.Container{Entry: now.Entry, Init: lowlevel.Init{Pid: 7, Started: 100}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.lookedAtAll(ctx, look{seen: []watch.Seen{{Container: before, Finding: watch.Finding{Kind: watch.Escape}}}})
	if _, err := os.Stat(w.audit.Path); err == nil {
		t.Error("the new start is told of")
	}
	w.lookedAtAll(ctx, look{seen: []watch.Seen{{Container: now.Container, Finding: watch.Finding{Kind: watch.Escape}}}})
	if _, err := os.Stat(w.audit.Path); err != nil {
		t.Error(err)
	}
}

package main

import (
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// A process that is gone may be of any container that shares its pid namespace: none
// of them is frozen or killed for it.
func TestWhoseOfASharedPidNamespace(t *testing.T) {
	box := func(id string, joined bool) *watched {
		return &watched{Container: &watch.Container{Entry: decision.Entry{ID: id}, Joined: joined}}
	}
	gone := timed{probe.Sight{Space: 7, Pid: 1<<22 + 1}, time.Now()}
	for name, c := range map[string]struct {
		all  []*watched
		sure bool
	}{
		"alone":                      {[]*watched{box("a", false)}, true},
		"two":                        {[]*watched{box("a", false), box("b", true)}, false},
		"one that joined a stranger": {[]*watched{box("b", true)}, false},
	} {
		w := &watcher{bySpace: map[uint32][]*watched{7: c.all}}
		if got, sure := w.whose(gone); got == nil || sure != c.sure {
			t.Errorf("%s: %v, sure %v", name, got, sure)
		}
	}
}

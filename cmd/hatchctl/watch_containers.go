package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// How long a pid namespace may be nobody's that we know before it is ignored, and
// how long it is: its number may be another's then.
const (
	unknownFor = 10 * time.Second
	ignoredFor = time.Minute
	listLeast  = 50 * time.Millisecond
)

// list finds containers that are new, and forgets those that are gone.
func (w *watcher) list(now time.Time) {
	w.listed = now
	w.holding.sweep()
	known, err := w.o.store().Known()
	if err != nil {
		fmt.Fprintln(w.errs, "hatchctl:", err)
		return
	}
	here, live := map[string]bool{}, map[string]bool{}
	for _, e := range known {
		c := &watch.Container{Entry: e}
		if e.Live = decision.Live(e.Root, e.ID); !e.Live {
			continue
		}
		live[c.Key()] = true
		if old := w.all[c.Key()]; old != nil && old.Init.Alive() {
			here[c.Key()] = true
			continue
		}
		if e.Record, e.Err = w.o.store().Load(e.Root, e.ID); e.Err != nil {
			w.fails(c.Key(), e.ID, e.Err, now)
			continue
		}
		e.Record.Decision.Workload = w.o.who(e)
		if c, err = watch.ReadContainer(e); err != nil {
			w.fails((&watch.Container{Entry: e}).Key(), e.ID, err, now)
			continue
		}
		delete(w.failing, c.Key())
		w.forget(c.Key())
		w.add(&watched{Container: c})
		here[c.Key()] = true
	}
	for key := range w.all {
		if !here[key] {
			w.forget(key)
		}
	}
	for key := range w.failing {
		if !live[key] {
			delete(w.failing, key)
		}
	}
	for space, since := range w.ignored {
		if now.Sub(since) > ignoredFor {
			delete(w.ignored, space)
			w.unwatch(space)
		}
	}
	for space, since := range w.unknown {
		if now.Sub(since) > ignoredFor {
			delete(w.unknown, space)
		}
	}
}

// fails says of a container that it is not watched, where that is not because it is
// being made, or ends.
func (w *watcher) fails(key, id string, err error, now time.Time) {
	since, known := w.failing[key]
	switch {
	case !known:
		w.failing[key] = now
	case !since.IsZero() && now.Sub(since) > unknownFor:
		fmt.Fprintf(w.errs, "hatchctl: %s is not watched: %s\n", shortID(id), harmless(err.Error()))
		w.failing[key] = time.Time{} // it is said once
	}
}

func (w *watcher) add(c *watched) {
	space := c.Spaces["pid"]
	w.all[c.Key()] = c
	w.addFiles(c)
	go w.hold(c.Container) // it waits for the container's file systems
	if space == w.host.Spaces["pid"] {
		return
	}
	w.bySpace[space] = append(w.bySpace[space], c)
	mask := uint64(0)
	for _, other := range w.bySpace[space] {
		mask |= other.Mask(capabilityNumber)
	}
	delete(w.ignored, space)
	delete(w.unknown, space)
	if w.probe != nil {
		if err := w.probe.Add(space, c.Spaces["user"], mask); err != nil {
			fmt.Fprintf(w.errs, "hatchctl: %s is not watched by the kernel: %v\n", shortID(c.Entry.ID), err)
		}
	}
}

// hold holds a container to drift, where its record says that the watch does.
func (w *watcher) hold(c *watch.Container) {
	if err := w.holding.hold(c); c.Held && err != nil && !errors.Is(err, errNotByWatch) {
		fmt.Fprintf(w.errs, "hatchctl: %s is not held to drift: %s\n", shortID(c.Entry.ID), harmless(err.Error()))
	}
}

func (w *watcher) forget(key string) {
	c := w.all[key]
	if c == nil {
		return
	}
	delete(w.all, key)
	w.ledger.Forget(key)
	space := c.Spaces["pid"]
	var rest []*watched
	for _, other := range w.bySpace[space] {
		if other != c {
			rest = append(rest, other)
		}
	}
	if len(rest) > 0 {
		w.bySpace[space] = rest
		return
	}
	delete(w.bySpace, space)
	w.unwatch(space)
}

func (w *watcher) unwatch(space uint32) {
	if w.probe != nil && len(w.bySpace[space]) == 0 {
		_ = w.probe.Remove(space) // at worst more is told, of nobody
	}
}

// sight judges what the kernel told.
func (w *watcher) sight(s timed) {
	c, sure := w.whose(s)
	if c == nil || c.Before(s.Sight) {
		return
	}
	if s.Kind == probe.SawExec && s.Pid == c.Init.Pid && c.Unmade {
		// Until now the low-level runtime was making it.
		if again, err := watch.ReadContainer(c.Entry); err == nil {
			c.Container = again
		}
	}
	var found []watch.Finding
	switch s.Kind {
	case probe.SawExec:
		found = c.Exec(s.Sight, w.host)
	case probe.SawCapability:
		found = c.Capability(s.Sight, w.host, capabilityName(s.Capability))
	case probe.SawCall:
		var same func(caller, inner int) bool
		if all := w.bySpace[s.Space]; len(all) > 1 || c.Joined {
			same = func(caller, inner int) bool { return watch.Same(bare(all), caller, inner) }
		}
		found = c.Call(s.Sight, w.host, same)
	}
	for _, f := range found {
		if f.Source == watch.FromCalls {
			f.Source = w.probe.Calls
		}
		if f.Doubt = !sure; f.Doubt {
			f.What += " (or another container did it that shares its pid namespace: the process was gone)"
		}
		w.tell(c, f, s.at)
	}
}

// whose finds the container of an event; nil where it is none of ours. It is not sure
// of a process that is gone, where several containers share the pid namespace.
func (w *watcher) whose(s timed) (c *watched, sure bool) {
	all := w.bySpace[s.Space]
	if len(all) == 0 {
		if time.Since(w.listed) > listLeast {
			w.list(time.Now())
		}
		all = w.bySpace[s.Space]
	}
	switch {
	case len(all) == 0:
		since, known := w.unknown[s.Space]
		if !known {
			w.unknown[s.Space] = s.at
		} else if s.at.Sub(since) > unknownFor && w.probe.Ignore(s.Space) == nil {
			w.ignored[s.Space] = s.at
			delete(w.unknown, s.Space)
		}
		return nil, false
	case len(all) == 1 && !all[0].Joined:
		return all[0], true
	}
	owner := watch.Owner(bare(all), s.Pid)
	for _, c := range all {
		if c.Container == owner {
			return c, true
		}
	}
	return all[0], false // it is gone: one of them
}

func (w *watcher) bare() []*watch.Container {
	all := make([]*watch.Container, 0, len(w.all))
	for _, c := range w.all {
		all = append(all, c.Container)
	}
	return all
}

func bare(all []*watched) []*watch.Container {
	var out []*watch.Container
	for _, c := range all {
		out = append(out, c.Container)
	}
	return out
}

// lookedAt is what a look needs of a container, apart from what changes meanwhile.
type lookedAt struct {
	*watch.Container
	dropped *watch.Dropped
}

func (w *watcher) lookedAt() []lookedAt {
	all := make([]lookedAt, 0, len(w.all))
	for _, c := range w.all {
		all = append(all, lookedAt{c.Container, &c.dropped})
	}
	return all
}

// looks looks once at processes and counters, after a pause.
func (w *watcher) looks(ctx context.Context, all []lookedAt, pause time.Duration) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(pause):
	}
	began := time.Now()
	var containers []*watch.Container
	for _, c := range all {
		containers = append(containers, c.Container)
	}
	seen := watch.Look(containers, w.host, func(c *watch.Container) uint64 { return c.Mask(capabilityNumber) }, began)
	for _, c := range all {
		for _, f := range c.counters() {
			seen = append(seen, watch.Seen{Container: c.Container, Finding: f})
		}
		if f, ok := c.label(); ok {
			seen = append(seen, watch.Seen{Container: c.Container, Finding: f})
		}
	}
	select {
	case <-ctx.Done():
	case w.looked <- look{seen, began, time.Since(began)}:
	}
}

func (c lookedAt) counters() []watch.Finding {
	if c.Entry.Record.Network.Kind == "" {
		return nil
	}
	fd, err := firewall.Open(fmt.Sprintf("/proc/%d/ns/net", c.Init.Pid), host.FileID{})
	if err != nil {
		return nil
	}
	defer firewall.Close(fd)
	r, err := firewall.Read(fd)
	if err != nil || !c.Init.Alive() {
		return nil
	}
	return c.dropped.Look(r)
}

func (c lookedAt) label() (watch.Finding, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/current", c.Init.Pid))
	if err != nil || !c.Init.Alive() {
		return watch.Finding{}, false
	}
	return watch.Label(c.Entry.Record.Labels.Apparmor, strings.TrimRight(string(data), "\x00\n"))
}

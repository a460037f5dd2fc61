package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/logged"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/workload"
	"github.com/hatchdog/hatchdog/profiles/syscalls/numbers"
)

// The pace of a recorder.
const (
	learnStep   = 20 * time.Millisecond
	learnHurry  = 2 * time.Millisecond // while a container starts, for learnAge at most
	learnSample = 250 * time.Millisecond
	learnWrite  = 5 * time.Second
	// learnAge is how long a namespace may be nobody's before it is left alone.
	learnAge = 10 * time.Second
	// learnForget is how long one is left alone.
	learnForget = time.Minute
)

// sought says which containers are wanted.
type sought struct {
	pick  func(workload.Workload) bool
	fresh bool
	log   bool // by the kernel's log of calls, without BPF
	// asked is told what was asked for each container that is wanted; nil is nobody.
	asked func(e decision.Entry, raw []byte)
}

// source counts what is done in pid namespaces.
type source interface {
	States() ([]probe.State, error)
	Claim(n probe.Namespace) error
	Ignore(n probe.Namespace) error
	Forget(n probe.Namespace)
	Entries(keep, drop func(probe.Namespace) bool, f func(probe.Entry)) error
	// Known tells the first process of a namespace.
	Known(inode uint32, pid int)
	Notes() []string
	Close() error
}

// inKernel is the source with programs in the kernel, which know first processes.
type inKernel struct{ *probe.Recorder }

func (inKernel) Known(uint32, int) {}

func (k inKernel) Notes() (all []string) {
	if !k.Capabilities {
		all = append(all, "this kernel does not tell which capabilities are used (no tracepoint cap_capable)")
	}
	if k.Unseen() > 0 {
		all = append(all, "there were more pid namespaces than are told apart")
	}
	return all
}

func openSource(log bool, names map[int]string) (source, error) {
	if log {
		return logged.Record()
	}
	p, err := probe.Record(learning.Watched(names))
	if err != nil {
		return nil, fmt.Errorf("%w; 'hatchctl learn --log' records calls alone, without BPF", err)
	}
	return inKernel{p}, nil
}

// recorder follows the containers that are wanted, and keeps what they do.
type recorder struct {
	store decision.Store
	probe source
	pick  func(workload.Workload) bool
	asked func(decision.Entry, []byte)
	world learning.World
	over  *learning.Data // of the containers that are gone
	boxes map[string]*learnt
	aged  map[probe.Namespace]time.Time
	keep  func(*learning.Data) error
	fresh bool // no container is wanted that was there before
	began bool
	hurry bool // a container starts
}

func (r *recorder) pace() time.Duration {
	if r.hurry {
		return learnHurry
	}
	return learnStep
}

// newRecorder begins to count, also what the containers do that are there already.
func (o *options) newRecorder(s sought, keep func(*learning.Data) error) (*recorder, error) {
	names := numbers.Names(runtime.GOARCH)
	p, err := openSource(s.log, names)
	if err != nil {
		return nil, err
	}
	r := &recorder{
		store: o.store(), probe: p, pick: s.pick, asked: s.asked, fresh: s.fresh, over: learning.New(), boxes: map[string]*learnt{}, aged: map[probe.Namespace]time.Time{}, keep: keep,
		world: learning.World{Calls: names, Capabilities: map[uint64]string{}, Host: hostAddresses()},
	}
	for n, name := range capabilityNames() {
		r.world.Capabilities[uint64(n)] = name //nolint:gosec // an index
	}
	r.over.CallsOnly = s.log
	return r, nil
}

// run follows until ctx ends, and keeps what there is now and then.
func (r *recorder) run(ctx context.Context) error {
	var sampled, written time.Time
	written = time.Now()
	for {
		now := time.Now()
		sample := now.Sub(sampled) >= learnSample
		if err := r.step(now, sample); err != nil {
			return err
		}
		if sample {
			sampled = now
		}
		if now.Sub(written) >= learnWrite {
			written = now
			if err := r.flush(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			if err := r.step(time.Now(), true); err != nil {
				return err
			}
			return r.flush()
		case <-time.After(r.pace()):
		}
	}
}

// step looks for containers that came and went.
func (r *recorder) step(now time.Time, sample bool) error {
	known, err := r.store.Known()
	if err != nil {
		return err
	}
	there, searched := map[string]bool{}, sample
	r.hurry = false
	for _, e := range known {
		key, ok := r.key(e)
		if !ok {
			continue
		}
		there[key] = true
		b := r.boxes[key]
		if b == nil {
			b = &learnt{entry: e, old: !r.began, since: now}
			r.boxes[key] = b
		}
		if !b.judged && (!b.old || !r.fresh) {
			b.judge(r.store, r.pick, r.asked)
		}
		if b.wanted && !b.told {
			b.seek()
			if b.init.Pid != 0 && b.inode != 0 {
				r.probe.Known(b.inode, b.init.Pid)
			}
			searched = searched || b.init.Pid != 0 && now.Sub(b.since) < learnAge
			r.hurry = r.hurry || now.Sub(b.since) < learnAge
		}
	}
	r.began = true
	var states []probe.State
	if searched {
		if states, err = r.probe.States(); err != nil {
			return err
		}
	}
	r.tell(states)
	for key, b := range r.boxes {
		if b.told && (sample || !there[key] || b.mounts == nil) {
			b.sample(r.store.Dir(b.entry.Root, b.entry.ID))
		}
		if !there[key] {
			if b.wanted && !b.told && b.init.Pid != 0 {
				if states, err = r.probe.States(); err != nil {
					return err
				}
				r.tell(states)
			}
			if err := r.finish(b); err != nil {
				return err
			}
			delete(r.boxes, key)
		}
	}
	return r.leave(states, now)
}

// key is another for each start of a container.
func (r *recorder) key(e decision.Entry) (string, bool) {
	start, ok := r.store.Start(e.Root, e.ID)
	return r.store.Dir(e.Root, e.ID) + " " + start, ok
}

// tell finds the namespaces of containers.
func (r *recorder) tell(states []probe.State) {
	for _, b := range r.boxes {
		if !b.wanted || b.told || b.init.Pid == 0 {
			continue
		}
		b.find(states)
		if b.told && r.probe.Claim(b.ns) == nil {
			continue
		}
		b.told = false
	}
}

// leave counts no more of what nobody claimed in time.
func (r *recorder) leave(states []probe.State, now time.Time) error {
	if states == nil {
		return nil
	}
	drop := map[probe.Namespace]bool{}
	for _, s := range states {
		n := s.Namespace
		if s.Claimed {
			delete(r.aged, n)
			continue
		}
		switch first, have := r.aged[n]; {
		case !have:
			r.aged[n] = now
		case s.Ignored && now.Sub(first) > learnForget: // most are gone by then
			r.probe.Forget(n)
			delete(r.aged, n)
		case s.Ignored:
		case now.Sub(first) > learnAge:
			if r.probe.Ignore(n) == nil {
				drop[n] = true
			}
			delete(r.aged, n)
		}
	}
	if len(drop) == 0 {
		return nil
	}
	none := func(probe.Namespace) bool { return false }
	return r.probe.Entries(none, func(n probe.Namespace) bool { return drop[n] }, nil)
}

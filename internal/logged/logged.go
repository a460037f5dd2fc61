// Package logged counts the calls that containers make whose filter has the kernel
// log them (SCMP_ACT_LOG), for hosts without BPF.
//
// Guarantees: it changes nothing and denies nothing. It keeps no more than a bound; what
// found no room, what the kernel dropped and what nobody could be told for is counted.
// Does not cover: arguments of calls, capabilities, files, devices and the network.
// A call of a process that is gone before its record is read is its container's only
// where an earlier one was, or where no other container has its user.
// Requires: Linux with CONFIG_AUDIT and CONFIG_SECCOMP, CAP_AUDIT_READ, the host's
// network and pid namespaces.
// Spec fields touched: none.
package logged

import (
	"context"
	"sync"
	"time"

	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/probe"
)

const (
	spacesMost = 1 << 10
	textsMost  = 1 << 12 // programs of one namespace
	pidsMost   = 1 << 14
	// fresh is how long the namespace of a process is taken as it was read.
	fresh = 100 * time.Millisecond
	// kept is how long it is taken after the process is gone.
	kept = 2 * time.Second
)

// Recorder counts by the pid namespace. It is safe for use by several goroutines.
type Recorder struct {
	mu      sync.Mutex
	spaces  map[probe.Namespace]*space
	current map[uint32]first // by the inode of the namespace
	pids    map[int]whose
	users   map[uint32]user
	gone    uint64 // records of processes that nobody knows
	dropped uint64 // times that the kernel had no room for us
	lost    uint32 // what the kernel's audit had lost before
	foreign bool
	err     error
	now     func() time.Time
	world   world
	end     context.CancelFunc
	ended   chan struct{}
}

type space struct {
	calls    map[int]*count
	programs map[string]*count
	lost     uint64
	claimed  bool
	ignored  bool
}

type count struct {
	n           uint64
	first, last time.Time
	by          [2]string
}

// whose says which namespace a process was in, and its program.
type whose struct {
	space   probe.Namespace
	program string
	read    time.Time
}

// Record begins to count.
func Record() (*Recorder, error) {
	r := newRecorder(proc{})
	ctx, end := context.WithCancel(context.Background())
	r.end, r.lost = end, inside.LostRecords()
	ready := make(chan struct{})
	go func() {
		defer close(r.ended)
		err := inside.FollowLogged(ctx, func() { close(ready) }, r.add, r.drop)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.err = err
	}()
	select {
	case <-ready:
		return r, nil
	case <-r.ended:
		return nil, r.err
	}
}

func newRecorder(w world) *Recorder {
	return &Recorder{
		spaces: map[probe.Namespace]*space{}, current: map[uint32]first{}, pids: map[int]whose{}, users: map[uint32]user{},
		now: time.Now, world: w, ended: make(chan struct{}),
	}
}

func (r *Recorder) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped++
}

// add counts a call. The low-level runtime's own, behind the filter and before the
// container's program, are left out.
func (r *Recorder) add(l inside.Logged) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	who, ok := r.owner(l.Pid, l.UID, now)
	switch {
	case !ok:
		r.gone++
		return
	case probe.OfRuntime(l.Command):
		return
	case l.Foreign:
		r.foreign = true
		return
	}
	s := r.spaces[who.space]
	if s == nil || s.ignored {
		return
	}
	at := s.calls[l.Call]
	if at == nil {
		const callsMost = 1 << 10
		if len(s.calls) >= callsMost {
			s.lost++
			return
		}
		at = &count{first: now}
		s.calls[l.Call] = at
	}
	at.add(now, l.Command)
	if l.Program == "" || l.Program == who.program {
		return
	}
	who.program = l.Program
	r.pids[l.Pid] = who
	at = s.programs[l.Program]
	if at == nil {
		if len(s.programs) >= textsMost {
			s.lost++
			return
		}
		at = &count{first: now}
		s.programs[l.Program] = at
	}
	at.add(now, l.Command)
}

func (c *count) add(now time.Time, by string) {
	if c.n == 0 {
		c.by[0] = by
	}
	c.n, c.last, c.by[1] = c.n+1, now, by
}

// Close ends it.
func (r *Recorder) Close() error {
	r.end()
	<-r.ended
	return nil
}

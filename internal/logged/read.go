package logged

import (
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/probe"
)

// States are the namespaces that calls were logged of. It fails where nothing is
// listened to any more.
func (r *Recorder) States() ([]probe.State, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []probe.State
	for n, s := range r.spaces {
		all = append(all, probe.State{Namespace: n, Lost: s.lost, Claimed: s.claimed, Ignored: s.ignored})
	}
	return all, r.err
}

// Claim keeps what is counted of a namespace.
func (r *Recorder) Claim(n probe.Namespace) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.spaces[n]; s != nil {
		s.claimed = true
	}
	return nil
}

// Ignore counts no more of a namespace.
func (r *Recorder) Ignore(n probe.Namespace) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.spaces[n]; s != nil {
		s.ignored = true
	}
	return nil
}

// Forget makes room for another namespace.
func (r *Recorder) Forget(n probe.Namespace) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(n)
}

func (r *Recorder) forget(n probe.Namespace) {
	delete(r.spaces, n)
	if r.current[n.Inode].space == n {
		delete(r.current, n.Inode)
	}
}

// Entries tells what was counted in the namespaces of keep, and forgets it in those
// of drop. A namespace that is dropped after its end makes room.
func (r *Recorder) Entries(keep, drop func(probe.Namespace) bool, f func(probe.Entry)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n, s := range r.spaces {
		if keep(n) {
			for call, c := range s.calls {
				f(c.entry(probe.Entry{Namespace: n, Kind: probe.KindCall, What: uint64(call), Arg: probe.OtherArgs})) //nolint:gosec // not negative
			}
			for program, c := range s.programs {
				f(c.entry(probe.Entry{Namespace: n, Kind: probe.KindProgram, Text: program}))
			}
		}
		if drop(n) {
			clear(s.calls)
			clear(s.programs)
			if !r.lives(n) {
				r.forget(n)
			}
		}
	}
	return nil
}

func (c *count) entry(e probe.Entry) probe.Entry {
	e.Count, e.First, e.Last, e.By = c.n, c.first, c.last, c.by
	return e
}

// Notes say what was not counted.
func (r *Recorder) Notes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := []string{"arguments of calls, capabilities, files, devices and the network: the kernel's audit tells the calls that a filter logs, and nothing else"}
	for text, is := range map[string]bool{
		"calls of 32-bit programs": r.foreign,
		"calls of processes that were gone before their containers were known":       r.gone > 0,
		"calls that the kernel dropped, because more were logged than could be read": r.dropped > 0 || inside.LostRecords() != r.lost,
	} {
		if is {
			all = append(all, text)
		}
	}
	return all
}

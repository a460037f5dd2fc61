package main

import (
	"io"
	"os"

	learning "github.com/hatchdog/hatchdog/internal/learn"
	"github.com/hatchdog/hatchdog/internal/probe"
)

// finish keeps what a container did that is gone.
func (r *recorder) finish(b *learnt) error {
	if !b.wanted {
		return nil
	}
	if !b.told && b.old {
		return nil // it had ended before
	}
	if !b.told {
		r.over.Note("a container could not be told from others: it shares their pid namespace, or was too short")
		return nil
	}
	d, err := r.of(map[probe.Namespace]*learnt{b.ns: b})
	if err != nil {
		return err
	}
	r.over.Merge(d)
	none := func(probe.Namespace) bool { return false }
	err = r.probe.Entries(none, func(n probe.Namespace) bool { return n == b.ns }, nil)
	_ = r.probe.Ignore(b.ns) // what still ends there is not counted anew
	return err
}

// of is what some containers did so far.
func (r *recorder) of(boxes map[probe.Namespace]*learnt) (*learning.Data, error) {
	d := learning.New()
	states, err := r.probe.States()
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if boxes[s.Namespace] != nil {
			d.Lost += s.Lost
			if s.Files > 0 {
				d.Files = max(d.Files, int64(s.Files)+1) //nolint:gosec // a number of a file
			}
		}
	}
	for _, b := range boxes {
		d.Merge(b.more)
	}
	world := r.world
	none := func(probe.Namespace) bool { return false }
	err = r.probe.Entries(func(n probe.Namespace) bool { return boxes[n] != nil }, none, func(e probe.Entry) {
		world.Mounts = boxes[e.Namespace].mounts
		d.Add(e, world)
	})
	return d, err
}

// seen is all that was recorded so far.
func (r *recorder) seen() (*learning.Data, error) {
	live := map[probe.Namespace]*learnt{}
	all := learning.New()
	all.Merge(r.over)
	for _, b := range r.boxes {
		if b.told {
			live[b.ns] = b
		}
		if b.wanted && !b.told && !b.old {
			all.Note("a container is not told from others: it shares their pid namespace, or has done nothing yet")
		}
	}
	d, err := r.of(live)
	if err != nil {
		return nil, err
	}
	all.Merge(d)
	for _, text := range r.probe.Notes() {
		all.Note(text)
	}
	return all, nil
}

func (r *recorder) flush() error {
	d, err := r.seen()
	if err != nil {
		return err
	}
	return r.keep(d)
}

func (r *recorder) close() { _ = r.probe.Close() }

// readMost reads no more than most bytes.
func readMost(f *os.File, into []byte, most int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(f, most))
	return append(into, raw...), err
}

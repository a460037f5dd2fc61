// Package export brings the audit log to where people look: each receiver follows
// the log by itself, at its own pace.
//
// Guarantees: each line reaches each receiver at least once, also across a crash of
// ours, a receiver that is away, and rotation of the log; what rotation or a full
// queue took is counted and told to the receiver as a record of its own; one
// receiver that is away holds up no other.
// Does not cover: order among receivers; the same line twice after a crash, with the
// same number and hash.
// Requires: the audit log, and a directory for the positions. No start of a
// container needs it.
// Spec fields touched: none.
package export

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/export/config"
	"github.com/hatchdog/hatchdog/internal/export/metrics"
	"github.com/hatchdog/hatchdog/internal/export/place"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/export/sink"
)

// Times of the loops.
const (
	poll      = 250 * time.Millisecond // between two looks at the log
	firstWait = time.Second            // behind the first try that failed
	longWait  = time.Minute            // the longest between two tries
)

// Feed brings the log to one receiver.
type Feed struct {
	Name  string
	Sink  sink.Sink
	Log   string // the audit log
	State string // where its position is kept; "": nowhere
	From  config.From
	Least record.Severity // less severe records are left out; 0: none
	Once  bool            // end where the log ends, and at the first error
	Say   func(format string, args ...any)
	// Pause stands for the time between two tries.
	Pause func(ctx context.Context, d time.Duration)

	sent, failed, dropped, at atomic.Uint64
}

// Run sends until the context ends.
func (f *Feed) Run(ctx context.Context) error {
	at, err := f.start()
	if err != nil {
		return f.wrap(err)
	}
	follow := audit.Follow(f.Log, at)
	defer follow.Close()
	defer func() { _ = f.Sink.Close() }()
	wait := firstWait
	for ctx.Err() == nil {
		entries, err := follow.Next(sink.Most)
		if err == nil && len(entries) == 0 && f.Once {
			return nil
		}
		if len(entries) > 0 {
			if serr := f.deliver(ctx, entries); serr != nil {
				return f.wrap(serr)
			}
			wait = firstWait
		}
		switch {
		case err != nil && f.Once:
			return f.wrap(err)
		case err != nil:
			f.Say("%s: %v; it is tried again in %v", f.Name, err, wait)
			f.Pause(ctx, wait)
			wait = min(2*wait, longWait)
		case len(entries) == 0:
			f.Pause(ctx, poll)
		}
	}
	return nil
}

// start is the position to go on from.
func (f *Feed) start() (at audit.Position, err error) {
	ok := false
	if f.State != "" {
		if at, ok, err = place.Position(f.State, f.Name); err != nil {
			return at, err
		}
	}
	if ok {
		f.at.Store(at.Seq)
		return at, nil
	}
	// The beginning is kept before anything is sent: what rotation takes from then
	// on is lost.
	if f.From == config.Now {
		at, err = audit.Head(f.Log)
	} else {
		at, err = audit.Oldest(f.Log)
	}
	if err != nil {
		return at, err
	}
	return at, f.keep(at)
}

func (f *Feed) wrap(err error) error { return fmt.Errorf("%s: %w", f.Name, err) }

// deliver sends entries until the receiver has all of them, and keeps the position.
// Its error is one that another try does not mend.
func (f *Feed) deliver(ctx context.Context, entries []audit.Entry) error {
	var batch []record.Record
	for _, e := range entries {
		r := record.Of(e, time.Now())
		if f.Least == 0 || r.Severity <= f.Least {
			batch = append(batch, r)
		}
	}
	if err := f.send(ctx, batch); err != nil {
		if ctx.Err() != nil && !f.Once {
			return nil //nolint:nilerr // told to end: the position says how far it came
		}
		return err
	}
	return f.keep(entries[len(entries)-1].Position)
}

func (f *Feed) keep(at audit.Position) error {
	f.at.Store(at.Seq)
	if f.State == "" {
		return nil
	}
	return place.Save(place.Cursor(f.State, f.Name), at)
}

func (f *Feed) send(ctx context.Context, batch []record.Record) error {
	for wait := firstWait; len(batch) > 0; {
		done, err := f.Sink.Send(ctx, batch)
		f.sent.Add(uint64(done.Done - done.Refused))
		last := batch[max(0, done.Done-1)]
		batch = batch[done.Done:]
		if done.Refused > 0 {
			f.dropped.Add(uint64(done.Refused))
			f.Say("%s: the receiver refuses %d records for good: %s", f.Name, done.Refused, done.Why)
			if last.Kind != record.Dropped {
				told := record.OfDropped(uint64(done.Refused), "refused by the receiver", audit.Position{Seq: last.Seq, Hash: last.Hash}, time.Now())
				batch = append([]record.Record{told}, batch...)
			}
		}
		if done.Done > 0 {
			wait = firstWait
		}
		if err == nil {
			continue
		}
		f.failed.Add(1)
		if done.Done > 0 {
			if kerr := f.keep(audit.Position{Seq: last.Seq, Hash: last.Hash}); kerr != nil {
				return kerr
			}
		}
		if f.Once || ctx.Err() != nil {
			return err
		}
		pause := max(wait, asked(err))
		f.Say("%s: %v; it is tried again in %v", f.Name, err, pause)
		f.Pause(ctx, pause)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait = min(2*wait, longWait)
	}
	return nil
}

func asked(err error) time.Duration {
	if later := (*sink.Later)(nil); errors.As(err, &later) {
		return later.After
	}
	return 0
}

// Sending says how far it came.
func (f *Feed) Sending() metrics.Sending {
	s := metrics.Sending{Sink: f.Name, Sent: f.sent.Load(), Failed: f.failed.Load(), Dropped: f.dropped.Load()}
	if head, err := audit.Head(f.Log); err == nil && head.Seq > f.at.Load() {
		s.Behind = head.Seq - f.at.Load()
	}
	return s
}

// Wait is a Pause in real time.
func Wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// All runs each until the context ends or one fails for good.
func All(ctx context.Context, runs ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(runs))
	var wg sync.WaitGroup
	for i, run := range runs {
		wg.Go(func() {
			if errs[i] = run(ctx); errs[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

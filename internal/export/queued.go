package export

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/hatchdog/hatchdog/internal/audit"
	"github.com/hatchdog/hatchdog/internal/export/metrics"
	"github.com/hatchdog/hatchdog/internal/export/queue"
	"github.com/hatchdog/hatchdog/internal/export/record"
	"github.com/hatchdog/hatchdog/internal/export/sink"
)

// Poster posts one document; refused is one that its receiver never takes.
type Poster interface {
	Post(ctx context.Context, doc []byte, key string) (refused bool, err error)
}

// Queued is a receiver behind a queue on disk: the log is read on although the
// receiver is away.
type Queued struct {
	Feed
	Queue *queue.Queue
	To    Poster

	posted atomic.Uint64
}

// putter is the end of the log's side.
type putter struct{ q *queue.Queue }

func (p putter) Send(_ context.Context, batch []record.Record) (sink.Sent, error) {
	var items []queue.Item
	for _, r := range batch {
		items = append(items, queue.Item{Key: sink.Key(r), Doc: sink.Body(r)})
	}
	if err := p.q.Put(items...); err != nil {
		return sink.Sent{}, err
	}
	return sink.Sent{Done: len(batch)}, nil
}

func (putter) Close() error { return nil }

// Run fills and empties the queue until the context ends.
func (q *Queued) Run(ctx context.Context) error {
	q.Sink = putter{q.Queue}
	if q.Once {
		if err := q.Feed.Run(ctx); err != nil {
			return err
		}
		return q.drain(ctx)
	}
	return All(ctx, q.Feed.Run, q.drain)
}

// drain sends the oldest first, until there is none and only one pass is wanted.
func (q *Queued) drain(ctx context.Context) error {
	for wait := firstWait; ctx.Err() == nil; {
		more, err := q.one(ctx)
		switch {
		case err != nil && q.Once:
			return q.wrap(err)
		case err != nil && ctx.Err() == nil:
			q.failed.Add(1)
			pause := max(wait, asked(err))
			q.Say("%s: %v; it is tried again in %v", q.Name, err, pause)
			q.Pause(ctx, pause)
			wait = min(2*wait, longWait)
		case err == nil && !more && q.Once:
			return nil
		case err == nil && !more:
			q.Pause(ctx, poll)
		case err == nil:
			wait = firstWait
		}
	}
	return nil
}

// one sends what is to be sent next: first that records were dropped.
func (q *Queued) one(ctx context.Context) (more bool, err error) {
	if n := q.Queue.Dropped(); n > 0 {
		told := record.OfDropped(n, "the queue was full, or the receiver refused them for good", audit.Position{Seq: q.at.Load()}, time.Now())
		refused, err := q.To.Post(ctx, sink.Body(told), sink.Key(told))
		if err != nil && !refused {
			return true, err
		}
		q.dropped.Add(n)
		q.Say("%s", told.Message)
		if err := q.Queue.Told(n); err != nil {
			return true, err
		}
	}
	item, n, ok, err := q.Queue.Oldest()
	if err != nil || !ok {
		return false, err
	}
	refused, err := q.To.Post(ctx, item.Doc, item.Key)
	switch {
	case refused:
		q.Say("%s: the receiver refuses a record for good: %v", q.Name, err)
		if err := q.Queue.Refused(); err != nil {
			return true, err
		}
	case err != nil:
		return true, err
	default:
		q.posted.Add(1)
	}
	return true, q.Queue.Done(n)
}

// Sending says how far it came.
func (q *Queued) Sending() metrics.Sending {
	s := q.Feed.Sending()
	s.Sent = q.posted.Load()
	s.Dropped += q.Queue.Dropped()
	s.Queued, s.QueuedBytes = q.Queue.Size()
	return s
}

package run

import (
	"io"
	"sync/atomic"
)

// budget is how much a command may still print.
type budget struct {
	left  atomic.Int64
	over  chan struct{} // closed once when there is nothing left
	spent atomic.Bool
}

func newBudget(limit int64) *budget {
	b := &budget{over: make(chan struct{})}
	b.left.Store(limit)
	if limit <= 0 {
		b.left.Store(1 << 62)
	}
	return b
}

// pass copies until the end, or until the budget is spent. It reads the rest and
// throws it away: a command that waits for its reader cannot be ended in order.
func (b *budget) pass(to io.Writer, from io.ReadCloser) {
	defer func() { _ = from.Close() }() // when nobody listens, the command is told by its pipe
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			left := b.left.Add(int64(-n))
			if left < 0 {
				if over := -left; over < int64(n) {
					_, _ = to.Write(buf[:int64(n)-over])
				}
				if b.spent.CompareAndSwap(false, true) {
					close(b.over)
				}
			} else if _, werr := to.Write(buf[:n]); werr != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Package sink hands records to receivers.
//
// Guarantees: Send returns when the receiver, or the kernel on its side, has what it
// says; what failed can be sent again, so that each record arrives at least once;
// certificates are verified; a redirect is not followed, so that no token goes
// elsewhere; no error holds a token or an address's path.
// Does not cover: UDP, whose receiver says nothing; what a receiver does behind its
// answer.
// Requires: nothing but the receiver.
// Spec fields touched: none.
package sink

import (
	"context"

	"github.com/hatchdog/hatchdog/internal/export/record"
)

// Sink takes records in order.
type Sink interface {
	// Send returns how many records, from the first one on, need not be sent again.
	Send(ctx context.Context, batch []record.Record) (Sent, error)
	Close() error
}

// Sent is what became of a batch.
type Sent struct {
	Done    int    // records, the refused among them
	Refused int    // records that the receiver will never take
	Why     string // it refused them
}

// Most is how many records are sent at once.
const Most = 100

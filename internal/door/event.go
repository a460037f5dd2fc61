package door

import "time"

// Ended is what the events of the audit log have in common that tell of a container
// when it is deleted.
type Ended struct {
	Event string    `json:"event"` // "network", "names"
	Time  time.Time `json:"time"`
	ID    string    `json:"id"`
	Root  string    `json:"root"` // of the low-level runtime
}

// loggedMost bounds how many destinations, or names, one such event has.
const loggedMost = 32

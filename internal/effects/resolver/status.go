package resolver

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Status is what a resolver did, as it says itself: it reads what a container
// and other resolvers send, so a reader takes nothing of it for granted.
type Status struct {
	Names   []Name    `json:"names"`   // the latest first
	Refused []Refused `json:"refused"` // the latest first
	// Malformed are messages of the container's that are no questions, Foreign
	// answers to what was not asked, Failed questions that nobody answered.
	Malformed int `json:"malformed,omitempty"`
	Foreign   int `json:"foreign,omitempty"`
	Failed    int `json:"failed,omitempty"`
	// Ended says why it ended; "" where it runs or was killed.
	Ended string `json:"ended,omitempty"`
}

// Name is a name that was looked up.
type Name struct {
	Name  string       `json:"name"`
	Hits  int          `json:"hits"`
	Addrs []netip.Addr `json:"addrs,omitempty"` // the last that were opened for it
	Last  time.Time    `json:"last"`
}

// Refused is a name that was not looked up, or whose answer was not let go.
type Refused struct {
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	Times  int       `json:"times"`
	Last   time.Time `json:"last"`
}

// NotListed is the reason of a name that the policy does not have.
const NotListed = "not in the policy"

// The bounds of what is kept, and how often it is written.
const (
	namesMost   = 128
	addrsMost   = 8
	refusedMost = 64
	writeEvery  = time.Second
)

type status struct {
	names     map[string]*Name
	refused   map[string]*Refused
	malformed int
	foreign   int
	failed    int
	changed   time.Time // zero: all is written
	written   time.Time
	seen      [3]int
}

func (s *status) ask(name string, now time.Time) {
	n := s.names[name]
	if n == nil {
		if len(s.names) >= namesMost {
			forget(s.names, func(n *Name) time.Time { return n.Last })
		}
		n = &Name{Name: name}
		s.names[name] = n
	}
	n.Hits, n.Last = n.Hits+1, now
	s.touch(now)
}

func (s *status) open(name string, a netip.Addr) {
	if n := s.names[name]; n != nil && !slices.Contains(n.Addrs, a) {
		if len(n.Addrs) >= addrsMost {
			n.Addrs = slices.Delete(n.Addrs, 0, 1)
		}
		n.Addrs = append(n.Addrs, a)
	}
}

func (s *status) refuse(name, reason string, now time.Time) {
	key := name + " " + reason
	r := s.refused[key]
	if r == nil {
		if len(s.refused) >= refusedMost {
			forget(s.refused, func(r *Refused) time.Time { return r.Last })
		}
		r = &Refused{Name: name, Reason: reason}
		s.refused[key] = r
	}
	r.Times, r.Last = r.Times+1, now
	s.touch(now)
}

// forget leaves the one out that is the longest ago.
func forget[T any](all map[string]*T, last func(*T) time.Time) {
	oldest := ""
	for k, v := range all {
		if oldest == "" || last(v).Before(last(all[oldest])) {
			oldest = k
		}
	}
	delete(all, oldest)
}

func (s *status) touch(now time.Time) {
	if s.changed.IsZero() {
		s.changed = now
	}
}

// at is when the next writing is due; zero is never.
func (s *status) at() time.Time {
	if s.changed.IsZero() {
		return time.Time{}
	}
	return s.written.Add(writeEvery)
}

func (s *status) due(now time.Time) bool {
	if n := [3]int{s.malformed, s.foreign, s.failed}; n != s.seen {
		s.seen = n
		s.touch(now)
	}
	return !s.changed.IsZero() && !now.Before(s.at())
}

func (s *status) write(now time.Time, ended string) {
	s.changed, s.written = time.Time{}, now
	out := Status{Malformed: s.malformed, Foreign: s.foreign, Failed: s.failed, Ended: ended}
	for _, n := range s.names {
		out.Names = append(out.Names, *n)
	}
	for _, r := range s.refused {
		out.Refused = append(out.Refused, *r)
	}
	slices.SortFunc(out.Names, func(a, b Name) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name)) })
	slices.SortFunc(out.Refused, func(a, b Refused) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Name, b.Name)) })
	data, err := json.Marshal(out)
	if err == nil {
		_, err = unix.Pwrite(statusFD, data, 0)
	}
	if err == nil {
		_ = unix.Ftruncate(statusFD, int64(len(data)))
	}
}

// maxStatus is as much of a status as is read, in bytes.
const maxStatus = 1 << 20

// looks is how often a status is read that is being written just then.
const looks = 20

// longest is how much of a text is taken, in bytes: a name has 253 at most.
const longest = 320

// bound holds a status to what a resolver that works writes.
func (s *Status) bound() {
	s.Names, s.Refused = s.Names[:min(len(s.Names), namesMost)], s.Refused[:min(len(s.Refused), refusedMost)]
	for i := range s.Names {
		n := &s.Names[i]
		n.Name, n.Addrs = n.Name[:min(len(n.Name), longest)], n.Addrs[:min(len(n.Addrs), addrsMost)]
		for j, a := range n.Addrs {
			n.Addrs[j] = a.WithZone("") // any text, of any length
		}
	}
	for i := range s.Refused {
		r := &s.Refused[i]
		r.Name, r.Reason = r.Name[:min(len(r.Name), longest)], r.Reason[:min(len(r.Reason), longest)]
	}
	s.Ended = s.Ended[:min(len(s.Ended), longest)]
}

// ReadStatus reads what a resolver has written.
func ReadStatus(file string) (Status, error) {
	var st Status
	for look := 1; ; look++ {
		data, err := os.ReadFile(file)
		if err != nil || len(data) == 0 || len(data) > maxStatus {
			return st, err
		}
		st = Status{}
		if err = json.Unmarshal(data, &st); err == nil || look == looks {
			st.bound()
			return st, err
		}
		time.Sleep(time.Millisecond)
	}
}

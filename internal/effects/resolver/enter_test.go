package resolver

import (
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
)

// set is a gate as the kernel has it: it follows orders, and forgets by itself.
type set struct {
	now   time.Time
	until map[string]time.Time
}

func (s *set) order(b []byte) bool {
	lives := append(firewall.Lives(), 0)
	a, _ := netip.AddrFromSlice(b[4:])
	key := string(b[0]) + a.String()
	if int(b[1]) == firewall.Closing() {
		delete(s.until, key)
		return true
	}
	s.until[key] = s.now.Add(lives[b[1]] + firewall.Grace)
	return true
}

func (s *set) open(gate byte, a netip.Addr) bool {
	return s.until[string(gate)+a.String()].After(s.now)
}

// An address is open for as long as the longest of its records lives, and Grace; not
// shorter, and no longer than the loop takes to come by.
func TestOpenAsLongAsTheRecord(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		start := time.Unix(1000, 0)
		s := &set{now: start, until: map[string]time.Time{}}
		k := gatekeeper{until: map[opening]kept{}, order: s.order}
		addrs := []netip.Addr{netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("2606:4700::1"), netip.MustParseAddr("::ffff:8.8.8.8")}
		want := map[string]time.Time{}
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 600).Draw(r, "seconds")) * time.Second)
			k.close(s.now)
			for gate := range byte(2) {
				for _, a := range addrs {
					if got, want := s.open(gate, a), want[string(gate)+a.String()].After(s.now); got != want {
						r.Fatalf("%v at gate %d: open %v, not %v", a, gate, got, want)
					}
				}
			}
			gate, a := byte(rapid.IntRange(0, 1).Draw(r, "gate")), rapid.SampledFrom(addrs).Draw(r, "addr") //nolint:gosec // 0 or 1
			ttl := time.Duration(rapid.IntRange(0, 3600).Draw(r, "ttl")) * time.Second
			k.open([]int{int(gate)}, a, ttl, s.now)
			if until := s.now.Add(ttl + firewall.Grace); until.After(want[string(gate)+a.String()]) {
				want[string(gate)+a.String()] = until
			}
			if k.next.IsZero() {
				r.Fatal("nothing is to be closed")
			}
		}
		s.now = s.now.Add(2 * time.Hour)
		k.close(s.now)
		if len(k.until) > 0 || !k.next.IsZero() {
			r.Fatalf("%d are remembered, the next for %v", len(k.until), k.next)
		}
	})
}

// What is known of openings is bounded; what is forgotten the kernel closes.
func TestOpeningsAreBounded(t *testing.T) {
	s := &set{now: time.Unix(1000, 0), until: map[string]time.Time{}}
	k := gatekeeper{until: map[opening]kept{}, order: s.order}
	for i := range 3 * remembered {
		k.open([]int{0}, netip.AddrFrom4([4]byte{20, byte(i >> 16), byte(i >> 8), byte(i)}), time.Second, s.now)
		if len(k.until) > remembered {
			t.Fatalf("%d are remembered", len(k.until))
		}
	}
}

package resolver

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
)

// gatekeeper has the kernel open gates.
type gatekeeper struct {
	gates []egress.Gate
	until map[opening]kept
	next  time.Time         // when the first of them may have to be closed; zero is never
	order func([]byte) bool // sends an order, and reports whether it was followed
}

// kept is how long an address is open, Grace left out: as long as its record lives, and
// until when the kernel closes it by itself.
type kept struct{ record, kernel time.Time }

type opening struct {
	gate uint8
	v6   bool
	addr [16]byte
}

// remembered bounds what is known of openings. It is more than the kernel's
// sets hold of two gates; what is forgotten is entered as if it were new.
const remembered = 8192

// closeEvery bounds how often all that is remembered is gone through.
const closeEvery = time.Second

// send gives an order to the kernel, which refuses to send it on where it was
// followed (package firewall).
func send(order []byte) bool {
	err := unix.Sendto(orderFD, order, unix.MSG_DONTWAIT, &unix.SockaddrInet4{Addr: firewall.Enter.Addr().As4(), Port: int(firewall.Enter.Port())})
	return errors.Is(err, unix.EPERM)
}

// open opens the gates of a name for an address as long as its record lives. It
// reports whether one was.
func (k *gatekeeper) open(gates []int, a netip.Addr, ttl time.Duration, now time.Time) bool {
	opened := false
	lives := firewall.Lives()
	for _, g := range gates {
		key := opening{uint8(g), a.Is6(), a.As16()} //nolint:gosec // at most egress.MostGates
		until := now.Add(ttl)
		if before := k.until[key].record; before.After(until) { // another record's, or name's
			until = before
		}
		life := lifeOf(until.Sub(now), lives)
		if !k.order(firewall.Order(g, life, a)) {
			continue
		}
		opened = true
		k.remember(key, kept{until, now.Add(lives[life])}, now)
	}
	return opened
}

func (k *gatekeeper) remember(key opening, until kept, now time.Time) {
	if len(k.until) >= remembered {
		for old, t := range k.until {
			if t.kernel.Before(now) {
				delete(k.until, old)
			}
		}
		if len(k.until) >= remembered {
			clear(k.until)
		}
	}
	k.until[key] = until
	if at := until.record.Add(firewall.Grace); k.next.IsZero() || at.Before(k.next) {
		k.next = at
	}
}

// close has the addresses closed whose time is over. The kernel gets no order for those
// that it has closed by itself.
func (k *gatekeeper) close(now time.Time) {
	if k.next.IsZero() || now.Before(k.next) {
		return
	}
	k.next = time.Time{}
	for key, until := range k.until {
		at := until.record.Add(firewall.Grace)
		if now.Before(at) {
			if k.next.IsZero() || at.Before(k.next) {
				k.next = at
			}
			continue
		}
		a := netip.AddrFrom16(key.addr)
		if !key.v6 {
			a = a.Unmap()
		}
		if now.Before(until.kernel.Add(firewall.Grace)) {
			k.order(firewall.Order(int(key.gate), firewall.Closing(), a))
		}
		delete(k.until, key)
	}
	if soon := now.Add(closeEvery); !k.next.IsZero() && k.next.Before(soon) {
		k.next = soon
	}
}

// of are the numbers of the gates of a name. star is true where it is one by a
// wildcard alone.
func (k *gatekeeper) of(name string) (gates []int, star bool) {
	star = true
	for i, g := range k.gates {
		if g.Has(name) {
			gates = append(gates, i)
			star = star && g.Star(name)
		}
	}
	return gates, star && len(gates) > 0
}

// pass has the addresses of an answer opened, and leaves those out that were
// not. Nothing lives longer than the kernel keeps it open.
func (k *gatekeeper) pass(gates []int, records []dnsmessage.Resource, now time.Time) (kept []dnsmessage.Resource, opened, refused []netip.Addr) {
	lives := firewall.Lives()
	longest := lives[len(lives)-1]
	for _, r := range records {
		ttl := min(time.Duration(r.Header.TTL)*time.Second, longest)
		r.Header.TTL = uint32(ttl / time.Second)
		a, is := address(r)
		switch {
		case !is:
		case k.open(gates, a, ttl, now):
			opened = append(opened, a)
		default:
			refused = append(refused, a)
			continue
		}
		kept = append(kept, r)
	}
	return kept, opened, refused
}

func address(r dnsmessage.Resource) (netip.Addr, bool) {
	switch body := r.Body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(body.A), true
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(body.AAAA), true
	}
	return netip.Addr{}, false
}

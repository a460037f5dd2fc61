package firewall

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// Report is what the rules of a namespace did so far.
type Report struct {
	Layers []Layer `json:"layers"`
	// Noted are destinations of what was dropped, the last one first.
	Noted []Noted `json:"noted"`
}

// Layer is what one policy did in one direction.
type Layer struct {
	Name  string    `json:"name"` // as Name gives it
	Rules []Counter `json:"rules"`
}

// Counter is one entry of a policy, in words, and what it matched.
type Counter struct {
	Words   string `json:"words"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Noted is a destination (of what goes out) or a source (of what comes in) of
// dropped packets.
type Noted struct {
	Inbound bool          `json:"inbound,omitempty"`
	Addr    netip.Addr    `json:"addr"`
	Proto   string        `json:"proto"`
	Port    uint16        `json:"port,omitempty"`
	Packets uint64        `json:"packets"`
	Bytes   uint64        `json:"bytes"`
	Ago     time.Duration `json:"ago"` // since the last of them
}

// Name is what the name of a policy's layers begins with.
func Name(p egress.Policy, inbound bool) string { return layer{key: key(p), inbound: inbound}.base() }

// Read reads the counters of a namespace.
func Read(fd int) (Report, error) {
	var r Report
	k, err := open(fd)
	if err != nil {
		return r, fmt.Errorf("firewall: %w", err)
	}
	defer k.close()
	chains, err := k.chains()
	if err != nil {
		return r, fmt.Errorf("firewall: %w", err)
	}
	for _, c := range chains {
		if c.Hooknum == nil || strings.HasPrefix(c.Name, "names-") {
			continue
		}
		l, err := k.readLayer(c)
		if err != nil {
			return r, err
		}
		r.Layers = append(r.Layers, l)
	}
	slices.SortFunc(r.Layers, func(a, b Layer) int { return cmp.Compare(b.Name, a.Name) }) // out, in, forward
	r.Noted, err = k.noted(chains)
	return r, err
}

// ReadNoted reads the destinations alone.
func ReadNoted(fd int) ([]Noted, error) {
	k, err := open(fd)
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	defer k.close()
	chains, err := k.chains()
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	return k.noted(chains)
}

func (k *kernel) readLayer(c *nftables.Chain) (Layer, error) {
	l := Layer{Name: c.Name}
	rules, err := k.nft.GetRules(table(), c)
	if err != nil {
		return l, fmt.Errorf("firewall: chain %s: %w", c.Name, err)
	}
	for _, r := range rules {
		words, _ := userdata.GetString(r.UserData, userdata.TypeComment)
		i := slices.IndexFunc(l.Rules, func(c Counter) bool { return c.Words == words })
		if i < 0 {
			l.Rules = append(l.Rules, Counter{Words: words})
			i = len(l.Rules) - 1
		}
		for _, e := range r.Exprs {
			if n, ok := e.(*expr.Counter); ok {
				l.Rules[i].Packets += n.Packets
				l.Rules[i].Bytes += n.Bytes
			}
		}
	}
	return l, nil
}

func (k *kernel) noted(chains map[string]*nftables.Chain) ([]Noted, error) {
	var all []Noted
	for name, c := range chains {
		if c.Hooknum == nil || strings.HasPrefix(name, "forward-") || strings.HasPrefix(name, "names-") {
			continue
		}
		for _, prefix := range []string{noted4, noted6} {
			found, err := k.nft.GetSetElements(&nftables.Set{Table: table(), Name: prefix + name})
			if err != nil {
				return nil, fmt.Errorf("firewall: set %s: %w", prefix+name, err)
			}
			for _, e := range found {
				if n, ok := notedOf(e); ok {
					n.Inbound = strings.HasPrefix(name, "in-")
					all = append(all, n)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b Noted) int {
		return cmp.Or(cmp.Compare(a.Ago, b.Ago), a.Addr.Compare(b.Addr), cmp.Compare(a.Port, b.Port))
	})
	return all, nil
}

// notedOf takes a key apart: an address, a protocol, a port.
func notedOf(e nftables.SetElement) (Noted, bool) {
	const tail = 8 // the protocol and the port, 4 bytes each
	if len(e.Key) != v4Length+tail && len(e.Key) != v6Length+tail {
		return Noted{}, false
	}
	addr, _ := netip.AddrFromSlice(e.Key[:len(e.Key)-tail])
	rest := e.Key[len(e.Key)-tail:]
	n := Noted{Addr: addr, Proto: protoName(rest[0]), Port: binary.BigEndian.Uint16(rest[4:]), Ago: notedFor - e.Expires}
	if e.Counter != nil {
		n.Packets, n.Bytes = e.Counter.Packets, e.Counter.Bytes
	}
	return n, true
}

func protoName(n byte) string {
	switch n {
	case unix.IPPROTO_TCP:
		return string(egress.TCP)
	case unix.IPPROTO_UDP:
		return string(egress.UDP)
	case unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6:
		return string(egress.ICMP)
	}
	return fmt.Sprintf("protocol %d", n)
}

func (n Noted) String() string {
	s := n.Addr.String()
	if n.Port != 0 {
		s = netip.AddrPortFrom(n.Addr, n.Port).String()
	}
	return s + "/" + n.Proto
}

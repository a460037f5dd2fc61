// Package egress is the language of a policy's network rules: its entries, their
// order, and the evaluator that decides on a packet.
//
// Guarantees: Compile gives the same ordered rules for the same policy and facts;
// Decide follows them as the kernel does; several policies together never let a
// packet through that one of them alone would drop.
// Does not cover: who looks names up and enters their addresses (package
// resolver), what travels inside a connection, and answers to connections that
// came in, which ingress decides.
// Requires: nothing. It asks no kernel and reads no clock.
// Spec fields touched: none.
//
// # Order
//
// The kernel asks, in this order:
//
//  1. Loopback is accepted.
//  2. IPv6 neighbour discovery is accepted: without it there is no IPv6.
//  3. An answer to a denied metadata or link-local address is dropped.
//  4. A packet of a connection that was accepted is accepted.
//  5. The entry with the longest prefix decides, among those that match the
//     packet; then the one with the fewest ports, the one that names a protocol,
//     and the one that denies.
//     An address that a name stands for is as long as an address.
//  6. The default decides.
package egress

import "net/netip"

// Verdict is what becomes of a packet.
type Verdict string

// The verdicts.
const (
	Allow Verdict = "allow"
	Deny  Verdict = "deny"
)

// Proto is a protocol that an entry can name.
type Proto string

// The protocols. ICMP is that of the address's family.
const (
	Any  Proto = ""
	TCP  Proto = "tcp"
	UDP  Proto = "udp"
	ICMP Proto = "icmp"
)

// Ports is a range of ports; the zero value is every port.
type Ports struct{ Low, High uint16 }

func (p Ports) any() bool { return p == Ports{} }

// width orders ranges: the fewer ports, the more an entry is about.
func (p Ports) width() int {
	if p.any() {
		return 1 << 16
	}
	return int(p.High) - int(p.Low) + 1
}

// Has reports whether a port is one of them.
func (p Ports) Has(port uint16) bool { return p.any() || p.Low <= port && port <= p.High }

// Policy is one set of entries, as a policy file has them.
type Policy struct {
	// Name is the profile that it is from.
	Name    string
	Default Verdict
	Allow   []string
	Deny    []string
	// Refused has names that are not allowed answered with REFUSED, in place of
	// NXDOMAIN.
	Refused bool `json:",omitempty"`
}

// Trivial is a policy that stops nothing.
func (p Policy) Trivial() bool { return p.Default != Deny && len(p.Deny) == 0 }

// Facts are the addresses that the names of groups stand for on one host.
type Facts struct {
	// Host is what the host answers to, the container's gateways included.
	Host      []netip.Prefix
	Resolvers []netip.Addr
	// Asked are those whom the resolver of a container with names asks: the
	// container's own, or the host's where it has none.
	Asked []netip.Addr
	// Behind are those whom a resolver of an engine's own asks in the container's
	// network namespace, as Docker's at 127.0.0.11 does.
	Behind []netip.Addr
}

// Packet is the first packet of a connection, or one of a protocol that has
// none.
type Packet struct {
	Proto Proto
	Addr  netip.Addr // the other end
	Port  uint16     // 0 where the protocol has none
	// Name is the name that the container looked the address up by; "" is none.
	Name string
}

package egress

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Kind is what the kernel makes of an address when the packet is sent, whatever
// the container's networks are by then.
type Kind string

// The kinds.
const (
	Broadcast Kind = "broadcast" // of a subnet that the container is in
	Anycast   Kind = "anycast"
	// Router is the anycast address of the routers of a subnet of 64 bits
	// (RFC 4291, 2.6.1) among the unique local addresses (RFC 4193): on the
	// container's side the kernel does not tell it from any other.
	Router Kind = "router"
)

// Rule is one rule of a chain. All of its prefixes have one family and one
// length.
type Rule struct {
	Verdict Verdict
	V6      bool
	Nets    []netip.Prefix // sorted; none with Except
	Except  []netip.Prefix // everything but these
	Kind    Kind           // "" is any; set where Nets and Except are empty
	Gate    string         // the text of the gate whose addresses it is of; set where Nets and Except are empty
	Proto   Proto          // never Any where there are ports
	Ports   Ports
	Entry   string // as the policy has it
}

// Chain is the rules for one direction, in order, and what happens to what
// none of them matches.
type Chain struct {
	Default Verdict
	Rules   []Rule
	// Unanswered are the prefixes to which no answer goes either.
	Unanswered []netip.Prefix
	// Gates are what names open.
	Gates []Gate
	facts Facts
}

// Compile puts the entries of a policy in order.
func Compile(p Policy, f Facts) (Chain, error) {
	c := Chain{Default: p.Default, facts: f}
	if p.Default != Allow && p.Default != Deny {
		return c, fmt.Errorf("egress default %q: neither allow nor deny", p.Default)
	}
	var names []Entry
	for _, list := range []struct {
		verdict Verdict
		texts   []string
	}{{Allow, p.Allow}, {Deny, p.Deny}} {
		for _, text := range list.texts {
			e, err := Parse(text)
			if err != nil {
				return c, fmt.Errorf("egress entry %q: %w", text, err)
			}
			if e.Host != "" {
				if err := mayName(p, list.verdict); err != nil {
					return c, fmt.Errorf("egress entry %q: %w", text, err)
				}
				names = append(names, e)
				continue
			}
			c.Rules = append(c.Rules, rules(e, list.verdict, f)...)
			if list.verdict == Deny && e.Proto == Any && e.Ports.any() {
				c.Unanswered = append(c.Unanswered, unanswered(e)...)
			}
		}
	}
	var err error
	if c.Gates, err = gates(names); err != nil {
		return c, err
	}
	for _, g := range c.Gates {
		c.Rules = append(c.Rules, g.rules()...)
	}
	slices.SortStableFunc(c.Rules, order)
	return c, nil
}

// mayName says why a policy cannot have a name in the list of a verdict.
func mayName(p Policy, v Verdict) error {
	switch {
	case v != Allow:
		return ErrNameAllow
	case p.Default != Deny:
		return ErrNoDefault
	}
	return nil
}

func unanswered(e Entry) []netip.Prefix {
	switch e.Group {
	case groupMetadata:
		return metadataPrefixes()
	case groupLinkLocal:
		return linkLocal()
	}
	return nil
}

// order is that of the evaluation. Families do not meet.
func order(a, b Rule) int {
	return cmp.Or(
		compareBool(a.V6, b.V6),
		cmp.Compare(b.bits(), a.bits()),
		compareBool(a.Kind != "", b.Kind != ""),
		cmp.Compare(a.Ports.width(), b.Ports.width()),
		compareBool(a.Proto == Any, b.Proto == Any),
		compareBool(a.Verdict == Allow, b.Verdict == Allow),
		cmp.Compare(a.Entry, b.Entry),
		cmp.Compare(a.Proto, b.Proto),
	)
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// bits is how much of an address the rule asks for. A kind is about one
// address, and comes behind the rules that name it.
func (r Rule) bits() int {
	switch {
	case (r.Kind != "" || r.Gate != "") && r.V6:
		return 128
	case r.Kind != "" || r.Gate != "":
		return 32
	}
	if len(r.Nets) == 0 {
		return 0
	}
	return r.Nets[0].Bits()
}

// rules are those that one entry stands for: one for each family, prefix
// length and protocol.
func rules(e Entry, v Verdict, f Facts) []Rule {
	base := Rule{Verdict: v, Proto: e.Proto, Ports: e.Ports, Entry: e.Text}
	var all []Rule
	switch e.Group {
	case "":
		all = base.Over([]netip.Prefix{e.Prefix})
	case groupMetadata:
		all = base.Over(metadataPrefixes())
	case groupLinkLocal:
		all = base.Over(linkLocal())
	case groupHost:
		all = append(base.Over(slices.Concat(f.Host, multicast())), base.kinds()...)
	case groupPrivate:
		all = base.Over(private())
	case groupInternet:
		all = base.but(notInternet())
	case groupDNS:
		base.Ports = Ports{53, 53}
		all = base.Over(singles(f.Resolvers))
	}
	return withProtocols(all)
}

// Over spreads a rule over prefixes, by family and length.
func (r Rule) Over(nets []netip.Prefix) []Rule {
	nets = slices.Clone(nets)
	slices.SortFunc(nets, func(a, b netip.Prefix) int {
		return cmp.Or(compareBool(a.Addr().Is6(), b.Addr().Is6()), cmp.Compare(b.Bits(), a.Bits()), a.Addr().Compare(b.Addr()))
	})
	var all []Rule
	for _, n := range slices.Compact(nets) {
		last := len(all) - 1
		if last < 0 || all[last].V6 != n.Addr().Is6() || all[last].bits() != n.Bits() {
			one := r
			one.V6, one.Nets = n.Addr().Is6(), nil
			all, last = append(all, one), last+1
		}
		all[last].Nets = append(all[last].Nets, n)
	}
	return all
}

// kinds are rules for the addresses to which every host of a link answers.
func (r Rule) kinds() []Rule {
	four, six, router := r, r, r
	four.Kind = Broadcast
	six.V6, six.Kind = true, Anycast
	router.V6, router.Kind = true, Router
	return []Rule{four, six, router}
}

// but is a rule for everything except nets.
func (r Rule) but(nets []netip.Prefix) []Rule {
	four, six := r, r
	six.V6 = true
	for _, n := range nets {
		if n.Addr().Is6() {
			six.Except = append(six.Except, n)
		} else {
			four.Except = append(four.Except, n)
		}
	}
	return []Rule{four, six}
}

// withProtocols makes two of a rule that has ports and names no protocol.
func withProtocols(all []Rule) []Rule {
	var out []Rule
	for _, r := range all {
		if r.Ports.any() || r.Proto != Any {
			out = append(out, r)
			continue
		}
		tcp, udp := r, r
		tcp.Proto, udp.Proto = TCP, UDP
		out = append(out, tcp, udp)
	}
	return out
}

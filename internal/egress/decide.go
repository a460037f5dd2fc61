package egress

import (
	"net/netip"
	"slices"
)

// Decision is what becomes of a packet, and what decided it.
type Decision struct {
	Verdict Verdict
	Policy  string // the name of the policy that decided
	Entry   string // its entry; "" is its default
	Reason  string // set where neither did
}

// Decide says what becomes of a packet under every one of the policies: each
// must let it through.
func Decide(p Packet, policies []Policy, f Facts) (Decision, error) {
	if p.Addr.IsLoopback() {
		return Decision{Verdict: Allow, Reason: "loopback is always open"}, nil
	}
	d := Decision{Verdict: Allow, Reason: "no policy stops anything"}
	for _, one := range policies {
		if one.Trivial() {
			continue
		}
		c, err := Compile(one, f)
		if err != nil {
			return d, err
		}
		v, entry := c.Decide(p)
		d = Decision{Verdict: v, Policy: one.Name, Entry: entry}
		if v == Deny {
			break
		}
	}
	return d, nil
}

// Decide is what the chain makes of a packet, and the entry that decided.
func (c Chain) Decide(p Packet) (Verdict, string) {
	for _, r := range c.Rules {
		if r.matches(p, c) {
			return r.Verdict, r.Entry
		}
	}
	return c.Default, ""
}

func (r Rule) matches(p Packet, c Chain) bool {
	if p.Addr.Is6() != r.V6 || r.Proto != Any && r.Proto != p.Proto || !r.Ports.Has(p.Port) {
		return false
	}
	if r.Kind != "" {
		return r.Kind == Router && subnetRouter(p.Addr) // the kernel alone knows the others
	}
	if r.Gate != "" {
		return c.opened(r.Gate, p)
	}
	if len(r.Nets) == 0 {
		return !contains(r.Except, p.Addr)
	}
	return contains(r.Nets, p.Addr)
}

// opened reports whether the address of a packet is one that the gate was opened
// for: by the name under which the container looked it up.
func (c Chain) opened(gate string, p Packet) bool {
	i := slices.IndexFunc(c.Gates, func(g Gate) bool { return g.Text() == gate })
	return p.Name != "" && c.Gates[i].Has(p.Name) && !contains(c.Gates[i].Shut(c.facts), p.Addr)
}

// Local is the prefix of the unique local addresses (RFC 4193).
var Local = netip.MustParsePrefix("fc00::/7")

func subnetRouter(a netip.Addr) bool {
	raw := a.As16()
	return Local.Contains(a) && [8]byte(raw[8:]) == [8]byte{}
}

func contains(nets []netip.Prefix, a netip.Addr) bool {
	for _, n := range nets {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

package egress

import "net/netip"

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
		if r.matches(p) {
			return r.Verdict, r.Entry
		}
	}
	return c.Default, ""
}

func (r Rule) matches(p Packet) bool {
	if p.Addr.Is6() != r.V6 || r.Proto != Any && r.Proto != p.Proto || !r.Ports.has(p.Port) {
		return false
	}
	if r.Kind != "" {
		return r.Kind == Router && subnetRouter(p.Addr) // the kernel alone knows the others
	}
	if len(r.Nets) == 0 {
		return !contains(r.Except, p.Addr)
	}
	return contains(r.Nets, p.Addr)
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

package egress

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Errors of an entry that is a name.
var (
	ErrName      = errors.New("not the name of a host: labels of letters, digits, - and _, with dots between")
	ErrASCII     = errors.New("a name outside of ASCII: write it as resolvers ask it, with xn--")
	ErrWildcard  = errors.New("* stands for one whole label, the first of at least three")
	ErrNamePorts = errors.New("a name needs its ports, as in example.org:443/tcp, or /icmp")
	ErrNameAllow = errors.New("a name can only be allowed: what is not listed is denied already, and an address has many names")
	ErrPrivate   = errors.New("private is for a name: an address is allowed as it is")
	ErrNoDefault = errors.New("names are allowed where the default is deny: with allow every address is open")
)

// PrivateWord is behind a name that may stand for private addresses.
const PrivateWord = " private"

const (
	maxName  = 253 // characters of a name (RFC 1035, 2.3.4)
	maxLabel = 63
	// maxStar is the longest label that a wildcard stands for: some CDNs have 40
	// characters. A label can carry data out.
	maxStar = 48
	// MostGates bounds the different ports and protocols that the names of one
	// policy have: each is a set in the kernel.
	MostGates = 32
)

// Gate is what names open: the ports, the protocol, and whether on private
// addresses too. Names that open the same share one gate, and the addresses of
// one are let through at its ports alone.
type Gate struct {
	Proto   Proto    `json:"proto,omitempty"`
	Ports   Ports    `json:"ports"`
	Private bool     `json:"private,omitempty"`
	Names   []string `json:"names"` // sorted; the first label may be *
}

// Text names a gate: its ports and protocol.
func (g Gate) Text() string {
	s := "names"
	if !g.Ports.any() {
		s += ":" + g.Ports.String()
	}
	if g.Proto != Any {
		s += "/" + string(g.Proto)
	}
	if g.Private {
		s += PrivateWord
	}
	return s
}

// Has reports whether the gate opens for a name, in lower case and without a
// final dot.
func (g Gate) Has(name string) bool {
	if _, found := slices.BinarySearch(g.Names, name); found {
		return true
	}
	first, rest, _ := strings.Cut(name, ".")
	if len(first) > maxStar || !isLabel(first) {
		return false
	}
	_, found := slices.BinarySearch(g.Names, "*."+rest)
	return found
}

// Star reports whether it opens for a name by a wildcard alone.
func (g Gate) Star(name string) bool {
	_, found := slices.BinarySearch(g.Names, name)
	return !found && g.Has(name)
}

// parseName reads a name.
func parseName(target string) (string, error) {
	for _, c := range []byte(target) {
		if c >= 0x80 {
			return "", &ParseError{Err: ErrASCII}
		}
	}
	name := strings.ToLower(strings.TrimSuffix(target, "."))
	labels := strings.Split(name, ".")
	for i, l := range labels {
		if l == "*" && i == 0 && len(labels) >= 3 {
			continue
		}
		if strings.Contains(l, "*") {
			return "", &ParseError{Err: ErrWildcard}
		}
		if !isLabel(l) {
			return "", &ParseError{Err: ErrName}
		}
	}
	if len(name) > maxName {
		return "", &ParseError{Err: ErrName}
	}
	return name, nil
}

func isLabel(l string) bool {
	if l == "" || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(l, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}

// named reports whether target is meant as a name. One without a dot is a name
// where ports follow and it is like no group. One that ends in digits is an address
// that is wrong.
func named(target string, ports Ports) bool {
	host := strings.TrimSuffix(target, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.ContainsAny(target, "/:%") || strings.Trim(last, "0123456789") == "" {
		return false
	}
	return strings.Contains(target, ".") || !ports.any() && nearGroup(target) == ""
}

// gates are those of the policy, each once, in a fixed order.
func gates(entries []Entry) ([]Gate, error) {
	var all []Gate
	for _, e := range entries {
		if e.Host == "" {
			continue
		}
		g := Gate{Proto: e.Proto, Ports: e.Ports, Private: e.Private}
		i := slices.IndexFunc(all, func(o Gate) bool { return o.Text() == g.Text() })
		if i < 0 {
			all, i = append(all, g), len(all)
		}
		all[i].Names = append(all[i].Names, e.Host)
	}
	if len(all) > MostGates {
		return nil, fmt.Errorf("names with %d different ports and protocols: at most %d", len(all), MostGates)
	}
	slices.SortFunc(all, func(a, b Gate) int { return cmp.Compare(a.Text(), b.Text()) })
	for i := range all {
		slices.Sort(all[i].Names)
		all[i].Names = slices.Compact(all[i].Names)
	}
	return all, nil
}

// rules are those of a gate: one for each family and protocol.
func (g Gate) rules() []Rule {
	four := Rule{Verdict: Allow, Proto: g.Proto, Ports: g.Ports, Entry: g.Text(), Gate: g.Text()}
	six := four
	six.V6 = true
	return withProtocols([]Rule{four, six})
}

// Never are the addresses that no name opens: an answer with one of them is not
// an address to reach. Among them are those of IPv6 through which a gateway reaches one
// of IPv4 that is shut (NAT64, RFC 6052), or any (6to4, RFC 3056; Teredo, RFC 4380;
// the local NAT64 of RFC 8215, where only the gateway knows which).
func Never() []netip.Prefix {
	four := prefixes("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")
	all := slices.Concat(four, prefixes("::/16", "ff00::/8", "2002::/16", "2001::/32", "64:ff9b:1::/48"), linkLocal(), metadataPrefixes())
	for _, n := range slices.Concat(four, linkLocal()) {
		if n.Addr().Is4() {
			all = append(all, netip.PrefixFrom(throughNAT64(n.Addr()), n.Bits()+nat64.Bits()))
		}
	}
	return merge(all)
}

// Shut are the addresses that a gate does not open: those of Never, and, where
// it is not private, the host's and what the internet does not route.
func (g Gate) Shut(f Facts) []netip.Prefix {
	all := Never()
	if !g.Private {
		all = slices.Concat(all, notInternet(), private(), f.Host)
	}
	return merge(all)
}

// Opens reports whether a gate may be opened for an address.
func (g Gate) Opens(a netip.Addr, f Facts) bool { return a.IsValid() && !contains(g.Shut(f), a) }

// merge leaves prefixes out that are within others.
func merge(nets []netip.Prefix) []netip.Prefix {
	nets = slices.Clone(nets)
	slices.SortFunc(nets, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	var all []netip.Prefix
	for _, n := range nets {
		if last := len(all) - 1; last < 0 || !all[last].Overlaps(n) {
			all = append(all, n)
		}
	}
	return all
}

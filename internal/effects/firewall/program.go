package firewall

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// program is a layer as the kernel takes it.
type program struct {
	table  *nftables.Table
	chains []*nftables.Chain
	rules  []*nftables.Rule
	sets   []set
}

type set struct {
	*nftables.Set
	elements []nftables.SetElement
}

// The comments of rules that are not of an entry.
const (
	wordLoopback  = "loopback"
	wordNeighbour = "neighbour discovery"
	wordNoAnswer  = "no answer"
	wordAccepted  = "of an accepted connection"
	wordDefault   = "default"
	wordForward   = "forwarded for others"
	wordDropped   = "dropped"
	wordNoted     = "noted"
	wordReset     = "reset"
)

// maxComment is the longest comment that nft(8) shows.
const maxComment = 127

func build(l layer) *program {
	p := &program{table: table()}
	base := p.hooked(l.base(), l.hook())
	drop := &nftables.Chain{Name: l.dropChain(), Table: p.table}
	p.chains = append(p.chains, drop)
	p.names(l, base)
	// For speed alone: what a connection sends that was accepted is asked
	// nothing more.
	p.rule(base, wordAccepted, accepted(), direction(ctOriginal), verdict(expr.VerdictAccept, ""))
	p.rule(base, wordLoopback, loopback(l.inbound), verdict(expr.VerdictAccept, ""))
	p.rule(base, wordNeighbour, icmpv6(ndFirst, ndLast), verdict(expr.VerdictAccept, ""))
	p.rule(base, wordNeighbour, icmpv6(mldReport, mldReport), verdict(expr.VerdictAccept, ""))
	for _, r := range spread(l.chain.Unanswered) {
		p.rule(base, wordNoAnswer, direction(ctReply), p.match(l, r), verdict(expr.VerdictGoto, drop.Name))
	}
	p.rule(base, wordAccepted, accepted(), verdict(expr.VerdictAccept, ""))
	for _, r := range l.chain.Rules {
		if r.Kind != "" && l.inbound {
			continue // nobody sends from such an address
		}
		p.rule(base, r.Words(), p.match(l, r), l.verdict(r.Verdict))
	}
	p.rule(base, string(l.chain.Default)+" "+wordDefault, l.verdict(l.chain.Default))
	p.note(l, drop)
	p.reset(l, drop)
	p.rule(drop, wordDropped, verdict(expr.VerdictDrop, ""))
	if !l.inbound {
		p.rule(p.hooked(l.forward(), nftables.ChainHookForward), wordForward, verdict(expr.VerdictDrop, ""))
	}
	return p
}

// The types of ICMPv6 without which there is no IPv6 on a link: router and
// neighbour discovery (RFC 4861), and the reports that make a switch pass
// neighbour discovery on (RFC 3810).
const (
	ndFirst, ndLast = 133, 136
	mldReport       = 143
)

func (l layer) hook() *nftables.ChainHook {
	if l.inbound {
		return nftables.ChainHookInput
	}
	return nftables.ChainHookOutput
}

func (l layer) verdict(v egress.Verdict) []expr.Any {
	if v == egress.Allow {
		return verdict(expr.VerdictAccept, "")
	}
	return verdict(expr.VerdictGoto, l.dropChain())
}

// hooked is a base chain. It drops a packet that no rule accepts.
func (p *program) hooked(name string, hook *nftables.ChainHook) *nftables.Chain {
	policy := nftables.ChainPolicyDrop
	c := &nftables.Chain{
		Name: name, Table: p.table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityFilter, Policy: &policy,
	}
	p.chains = append(p.chains, c)
	return c
}

func (p *program) rule(c *nftables.Chain, words string, parts ...[]expr.Any) {
	p.rules = append(p.rules, &nftables.Rule{
		Table: p.table, Chain: c, Exprs: slices.Concat(parts...),
		UserData: userdata.AppendString(nil, userdata.TypeComment, words[:min(len(words), maxComment)]),
	})
}

// match is everything that a rule asks of a packet.
func (p *program) match(l layer, r egress.Rule) []expr.Any {
	exprs := family(r.V6)
	switch {
	case r.Kind != "":
		exprs = append(exprs, kind(r.Kind)...)
	case r.Gate != "":
		exprs = append(exprs, address(r.V6, l.inbound, 1), &expr.Lookup{SourceRegister: 1, SetName: l.gateSet(r.Gate, r.V6)})
	case len(r.Nets) == 0:
		exprs = append(exprs, address(r.V6, l.inbound, 1), p.lookup(l, r.V6, intervals(r.Except), true))
	case r.Nets[0].Bits() > 0:
		exprs = append(exprs, address(r.V6, l.inbound, 1))
		exprs = append(exprs, masked(r.Nets[0].Bits(), r.V6)...)
		if len(r.Nets) == 1 {
			exprs = append(exprs, equal(1, r.Nets[0].Addr().AsSlice()))
		} else {
			exprs = append(exprs, p.lookup(l, r.V6, points(r.Nets), false))
		}
	}
	if r.Proto != egress.Any {
		exprs = append(exprs, protocol(number(r.Proto, r.V6))...)
	}
	if r.Ports != (egress.Ports{}) {
		exprs = append(exprs, ports(r.Ports)...)
	}
	return exprs
}

// lookup asks whether register 1 is in a set, or, with except, is not.
func (p *program) lookup(l layer, v6 bool, elements []nftables.SetElement, except bool) expr.Any {
	s := &nftables.Set{
		Table: p.table, Name: fmt.Sprintf("%s-%d", l.base(), len(p.sets)), KeyType: nftables.TypeIPAddr, Interval: except,
	}
	if v6 {
		s.KeyType = nftables.TypeIP6Addr
	}
	p.sets = append(p.sets, set{s, elements})
	return &expr.Lookup{SourceRegister: 1, SetName: s.Name, SetID: uint32(len(p.sets)), Invert: except} //nolint:gosec // few
}

func points(nets []netip.Prefix) []nftables.SetElement {
	var all []nftables.SetElement
	for _, n := range nets {
		all = append(all, nftables.SetElement{Key: n.Addr().AsSlice()})
	}
	return all
}

// intervals are the ends of prefixes that do not overlap; those that touch are
// one.
func intervals(nets []netip.Prefix) []nftables.SetElement {
	nets = slices.Clone(nets)
	slices.SortFunc(nets, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	var all []nftables.SetElement
	var next netip.Addr // behind the last interval
	for _, n := range nets {
		if next.IsValid() && next == n.Addr() {
			all = all[:len(all)-1]
		} else {
			all = append(all, nftables.SetElement{Key: n.Addr().AsSlice()})
		}
		if next = last(n).Next(); next.IsValid() {
			all = append(all, nftables.SetElement{Key: next.AsSlice(), IntervalEnd: true})
		}
	}
	return all
}

func last(n netip.Prefix) netip.Addr {
	raw := n.Addr().AsSlice()
	for i := n.Bits(); i < len(raw)*8; i++ {
		raw[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}

// spread makes rules of prefixes, by family and length.
func spread(nets []netip.Prefix) []egress.Rule {
	return egress.Rule{Verdict: egress.Deny}.Over(nets)
}

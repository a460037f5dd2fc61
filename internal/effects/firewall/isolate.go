package firewall

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// isolatedTable is apart from the one with the container's own rules, which stay.
const isolatedTable = "hatchdog-isolated"

// The comments of rules of an isolated namespace.
const wordIsolated = "isolated"

// ErrNotIsolated means that there is nothing to take away.
var ErrNotIsolated = errors.New("it is not isolated")

var errIsolatedName = errors.New("isolate: a name resolves to nobody in a namespace that is cut off: list addresses")

// Isolate cuts a namespace off: every packet is dropped, also of connections that
// are open, except for loopback and for what the entries name. It replaces what was
// listed before.
func Isolate(fd int, allow []string, facts egress.Facts) error {
	chain, err := egress.Compile(egress.Policy{Name: isolatedTable, Default: egress.Deny, Allow: allow}, facts)
	if err != nil {
		return err
	}
	if len(chain.Gates) > 0 {
		return errIsolatedName
	}
	k, err := open(fd)
	if err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	defer k.close()
	p := isolation(chain)
	k.nft.AddTable(p.table) // so that there is one to take away: in the same transaction
	k.nft.DelTable(p.table)
	if err := k.add(p); err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	if err := k.nft.Flush(); err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	have, err := k.chainsOf(isolatedTable)
	if err == nil {
		err = k.verify(p, have)
	}
	if err != nil {
		return fmt.Errorf("isolate: %w", err)
	}
	return nil
}

// isolation is the table. Base chains drop what no rule accepts.
func isolation(c egress.Chain) *program {
	p := &program{table: &nftables.Table{Name: isolatedTable, Family: nftables.TableFamilyINet}}
	for _, l := range []layer{{key: "isolated", chain: c}, {key: "isolated", inbound: true, chain: c}} {
		base := p.hooked(l.base(), l.hook())
		p.rule(base, wordLoopback, loopback(l.inbound), verdict(expr.VerdictAccept, ""))
		for _, r := range c.Rules {
			if r.Verdict != egress.Allow || r.Kind != "" {
				continue
			}
			if r.V6 {
				p.rule(base, wordNeighbour, icmpv6(ndFirst, ndLast), verdict(expr.VerdictAccept, ""))
			}
			if !l.inbound {
				p.rule(base, r.Words(), p.match(l, r), verdict(expr.VerdictAccept, ""))
				continue
			}
			from := r
			from.Ports = egress.Ports{} // the other end's: an answer has it as its source
			p.rule(base, r.Words(), direction(ctReply), p.match(l, from), verdict(expr.VerdictAccept, ""))
		}
		p.rule(base, wordIsolated, verdict(expr.VerdictDrop, ""))
	}
	p.rule(p.hooked("forward-isolated", nftables.ChainHookForward), wordIsolated, verdict(expr.VerdictDrop, ""))
	return p
}

// Rejoin takes the isolation away.
func Rejoin(fd int) error {
	k, err := open(fd)
	if err != nil {
		return fmt.Errorf("rejoin: %w", err)
	}
	defer k.close()
	have, err := k.chainsOf(isolatedTable)
	if err != nil {
		return fmt.Errorf("rejoin: %w", err)
	}
	if len(have) == 0 {
		return ErrNotIsolated
	}
	k.nft.DelTable(&nftables.Table{Name: isolatedTable, Family: nftables.TableFamilyINet})
	if err := k.nft.Flush(); err != nil {
		return fmt.Errorf("rejoin: %w", err)
	}
	return nil
}

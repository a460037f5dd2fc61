package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// kernel is a connection to nftables in one namespace.
type kernel struct {
	nft    *nftables.Conn
	socket *socket
}

func open(fd int) (*kernel, error) {
	s, err := dial(fd)
	if err != nil {
		return nil, err
	}
	// The library has no other door for a socket that it did not open.
	c, err := nftables.New(nftables.AsLasting(), nftables.WithTestDial(s.exchange))
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &kernel{nft: c, socket: s}, nil
}

func (k *kernel) close() { _ = errors.Join(k.nft.CloseLasting(), k.socket.close()) } // nothing is left to send

// chains are those of our table, by name.
func (k *kernel) chains() (map[string]*nftables.Chain, error) { return k.chainsOf(tableName) }

func (k *kernel) chainsOf(name string) (map[string]*nftables.Chain, error) {
	all, err := k.nft.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	ours := map[string]*nftables.Chain{}
	for _, c := range all {
		if c.Table.Name == name {
			ours[c.Name] = c
		}
	}
	return ours, nil
}

// elementsAtOnce keeps a message below the 64 KiB that netlink gives an
// attribute.
const elementsAtOnce = 512

// add queues a layer.
func (k *kernel) add(p *program) error {
	k.nft.AddTable(p.table)
	for _, c := range p.chains {
		k.nft.AddChain(c)
	}
	ids := map[string]uint32{}
	for _, s := range p.sets {
		first := s.elements[:min(len(s.elements), elementsAtOnce)]
		if err := k.nft.AddSet(s.Set, first); err != nil {
			return err
		}
		ids[s.Name] = s.ID
		for more := range slices.Chunk(s.elements[len(first):], elementsAtOnce) {
			if err := k.nft.SetAddElements(s.Set, more); err != nil {
				return err
			}
		}
	}
	for _, r := range p.rules {
		for _, e := range r.Exprs {
			switch e := e.(type) {
			case *expr.Lookup:
				e.SetID = ids[e.SetName]
			case *expr.Dynset:
				e.SetID = ids[e.SetName]
			}
		}
		k.nft.AddRule(r)
	}
	return nil
}

// remove queues the end of a layer: first its rules, which hold the chains and
// sets.
func (k *kernel) remove(l layer) error {
	have, err := k.chains()
	if err != nil {
		return err
	}
	var ours []*nftables.Chain
	for _, name := range []string{l.base(), l.forward(), l.natChain(), l.ordersChain(), l.dropChain()} {
		if c := have[name]; c != nil && (!l.inbound || name == l.base() || name == l.dropChain()) {
			ours = append(ours, c)
			k.nft.FlushChain(c)
		}
	}
	for _, c := range ours {
		k.nft.DelChain(c)
	}
	sets, err := k.nft.GetSets(table())
	if err != nil {
		return fmt.Errorf("list sets: %w", err)
	}
	for _, s := range sets {
		if l.owns(s.Name) {
			k.nft.DelSet(s)
		}
	}
	return nil
}

func (l layer) owns(set string) bool {
	rest := bytes.TrimPrefix([]byte(set), []byte(l.base()+"-"))
	return len(rest) != len(set) || set == noted4+l.base() || set == noted6+l.base()
}

package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
)

// kernel is a connection to nftables in one namespace.
type kernel struct{ nft *nftables.Conn }

// buffers bounds what one transaction may send, and its acknowledgements, of
// which there is one for each rule and which are read when all is sent, in bytes:
// some ten thousand rules. The kernel takes what is used.
const buffers = 16 << 20

func open(fd int) (*kernel, error) {
	roomy := nftables.WithSockOptions(func(c *netlink.Conn) error {
		return errors.Join(c.SetWriteBuffer(buffers), c.SetReadBuffer(buffers))
	})
	c, err := nftables.New(nftables.WithNetNSFd(fd), nftables.AsLasting(), roomy)
	if err != nil {
		return nil, err
	}
	return &kernel{c}, nil
}

func (k *kernel) close() { _ = k.nft.CloseLasting() } // nothing is left to send

// chains are those of our table, by name.
func (k *kernel) chains() (map[string]*nftables.Chain, error) {
	all, err := k.nft.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("list chains: %w", err)
	}
	ours := map[string]*nftables.Chain{}
	for _, c := range all {
		if c.Table.Name == tableName {
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
	for _, name := range []string{l.base(), l.forward(), l.dropChain()} {
		if c := have[name]; c != nil && (name != l.forward() || !l.inbound) {
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

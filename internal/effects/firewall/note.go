package firewall

import (
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Dropped packets are noted by destination, protocol and port in a set of the
// kernel's: at most notedMost of them, each for notedFor after its last packet.
const (
	notedMost = 1024
	notedFor  = time.Hour
)

// The registers of a key of several parts: an address of four or sixteen
// bytes, then the protocol, then the port (kernel, nf_tables.h: the numbers
// from 8 are 4 bytes each, and those that begin one of 16 go by its number).
const (
	regAddress           = 1
	regProto4, regPort4  = 9, 10
	regProto6, regPort6  = 2, 13
	noted4, noted6       = "noted4-", "noted6-"
	protoOffset4, portAt = 4, 4
)

// note adds rules that remember the destination of what is dropped. A set that
// is full takes no more, and the packet is dropped all the same.
func (p *program) note(l layer, drop *nftables.Chain) {
	for _, v6 := range []bool{false, true} {
		addr, icmp, regProto, regPort := nftables.TypeIPAddr, byte(unix.IPPROTO_ICMP), uint32(regProto4), uint32(regPort4)
		name := noted4 + l.base()
		if v6 {
			addr, icmp, regProto, regPort = nftables.TypeIP6Addr, unix.IPPROTO_ICMPV6, regProto6, regPort6
			name = noted6 + l.base()
		}
		p.sets = append(p.sets, set{Set: &nftables.Set{
			Table: p.table, Name: name, Dynamic: true, HasTimeout: true, Timeout: notedFor, Size: notedMost, Concatenation: true,
			KeyType: nftables.MustConcatSetType(addr, nftables.TypeInetProto, nftables.TypeInetService),
		}})
		id := uint32(len(p.sets)) //nolint:gosec // few
		key := []expr.Any{address(v6, l.inbound, regAddress), &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: regProto}}
		update := &expr.Dynset{
			SrcRegKey: regAddress, SetName: name, SetID: id, Operation: unix.NFT_DYNSET_OP_UPDATE, Exprs: []expr.Any{&expr.Counter{}},
		}
		notICMP := []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{icmp}}}
		p.rule(drop, wordNoted, family(v6), notICMP, key, []expr.Any{port(regPort), update})
		none := &expr.Immediate{Register: regPort, Data: make([]byte, 4)}
		p.rule(drop, wordNoted, family(v6), protocol(icmp), key, []expr.Any{none, update})
	}
}

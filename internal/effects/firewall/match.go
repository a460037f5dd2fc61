package firewall

import (
	"net"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// The places of addresses and ports in packets (RFC 791, RFC 8200, RFC 9293).
const (
	v4Source, v4Destination, v4Length = 12, 16, 4
	v6Source, v6Destination, v6Length = 8, 24, 16
	portOffset, portLength            = 2, 2
)

// The conntrack states and directions (kernel,
// nf_conntrack_common.h).
const (
	ctEstablished = 1 << 1
	ctRelated     = 1 << 2
	ctOriginal    = 0
	ctReply       = 1
)

// kind matches the destinations of which the kernel says so at that moment.
func kind(k egress.Kind) []expr.Any {
	switch k {
	case egress.Broadcast:
		return addressType(unix.RTN_BROADCAST)
	case egress.Anycast:
		return addressType(unix.RTN_ANYCAST)
	case egress.Router:
		const half = v6Length / 2
		upper := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: v6Destination, Len: v6Length}
		lower := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: v6Destination + half, Len: half}
		exprs := append([]expr.Any{upper}, masked(egress.Local.Bits(), true)...)
		return append(exprs, equal(1, egress.Local.Addr().AsSlice()), lower, equal(1, make([]byte, half)))
	}
	return nil // not reached: Compile makes no other
}

// addressType is nft's "fib daddr type".
func addressType(t uint32) []expr.Any {
	return []expr.Any{
		&expr.Fib{Register: 1, ResultADDRTYPE: true, FlagDADDR: true},
		equal(1, binaryutil.NativeEndian.PutUint32(t)),
	}
}

func equal(register uint32, data []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: data}
}

func verdict(k expr.VerdictKind, chain string) []expr.Any {
	return []expr.Any{&expr.Counter{}, &expr.Verdict{Kind: k, Chain: chain}}
}

func family(v6 bool) []expr.Any {
	f := byte(unix.NFPROTO_IPV4)
	if v6 {
		f = unix.NFPROTO_IPV6
	}
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, equal(1, []byte{f})}
}

func protocol(p byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equal(1, []byte{p})}
}

func number(p egress.Proto, v6 bool) byte {
	switch {
	case p == egress.TCP:
		return unix.IPPROTO_TCP
	case p == egress.UDP:
		return unix.IPPROTO_UDP
	case v6:
		return unix.IPPROTO_ICMPV6
	}
	return unix.IPPROTO_ICMP
}

// address loads the address of the other end.
func address(v6, inbound bool, register uint32) *expr.Payload {
	p := &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: v4Destination, Len: v4Length}
	switch {
	case v6 && inbound:
		p.Offset, p.Len = v6Source, v6Length
	case v6:
		p.Offset, p.Len = v6Destination, v6Length
	case inbound:
		p.Offset = v4Source
	}
	return p
}

// masked keeps the first bits of what register 1 holds.
func masked(bits int, v6 bool) []expr.Any {
	length := v4Length
	if v6 {
		length = v6Length
	}
	if bits == length*8 {
		return nil
	}
	return []expr.Any{&expr.Bitwise{
		SourceRegister: 1, DestRegister: 1, Len: uint32(length), Mask: net.CIDRMask(bits, length*8), Xor: make([]byte, length), //nolint:gosec // 4 or 16
	}}
}

func port(register uint32) *expr.Payload {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseTransportHeader, Offset: portOffset, Len: portLength}
}

func ports(p egress.Ports) []expr.Any {
	low, high := binaryutil.BigEndian.PutUint16(p.Low), binaryutil.BigEndian.PutUint16(p.High)
	if p.Low == p.High {
		return []expr.Any{port(1), equal(1, low)}
	}
	return []expr.Any{
		port(1),
		&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: low},
		&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: high},
	}
}

func loopback(inbound bool) []expr.Any {
	k := expr.MetaKeyOIFNAME
	if inbound {
		k = expr.MetaKeyIIFNAME
	}
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, "lo")
	return []expr.Any{&expr.Meta{Key: k, Register: 1}, equal(1, name)}
}

// icmpv6 matches types of ICMPv6 from low to high.
func icmpv6(low, high byte) []expr.Any {
	return append(protocol(unix.IPPROTO_ICMPV6),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 1},
		&expr.Cmp{Op: expr.CmpOpGte, Register: 1, Data: []byte{low}},
		&expr.Cmp{Op: expr.CmpOpLte, Register: 1, Data: []byte{high}},
	)
}

func accepted() []expr.Any {
	return []expr.Any{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(ctEstablished | ctRelated), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func direction(d byte) []expr.Any {
	return []expr.Any{&expr.Ct{Register: 1, Key: expr.CtKeyDIRECTION}, equal(1, []byte{d})}
}

package firewall

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// Mark is on the sockets of a resolver of ours (package resolver), which the
// namespace has where a policy has names, and to whom every question of DNS is led.
// No container can set it without CAP_NET_ADMIN or CAP_NET_RAW. The resolver has no
// capability. These rules say what it may do.
//
//   - It asks the resolvers of Facts.Asked at port 53.
//   - A datagram to Enter is an order: the kernel enters the address that the
//     datagram names into the set of the gate that it names, for the time that it
//     names, where the gate opens for that address. It has no other way to a set,
//     and an order has no other effect.
//     By another order the kernel takes it out again.
//   - Whatever else it sends is dropped.
const Mark = 0x68646f67

// The addresses of the resolver. It listens on an address that no program
// listens on by accident, and at a port that is neither privileged nor one of
// those that the kernel gives out.
var (
	Listen4 = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 104, 100, 53}), 20053)
	Listen6 = netip.AddrPortFrom(netip.IPv6Loopback(), 20053)
	Enter   = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 104, 100, 53}), 20054)
)

// dnsPort is that of DNS (RFC 1035, 4.2).
const dnsPort = 53

// Grace is how long an address may be reached after its name was to be looked
// up again: a program takes a while from the answer to the connection.
const Grace = 30 * time.Second

// Lives are the times that an address can be entered for, without Grace. An
// answer lives no longer than the last. They are few because each is a rule for each
// gate: a rule has one time, and the kernel takes none from the order. The resolver
// takes an address out when its own time is over (Closing); these are what is left of it
// when the resolver was killed.
func Lives() []time.Duration { return []time.Duration{time.Minute, 5 * time.Minute, time.Hour} }

// enteredMost is how many addresses a gate holds of each family. A set that is
// full takes no more.
const enteredMost = 4096

// Closing is the number of an order's life by which an address is taken out.
func Closing() int { return len(Lives()) }

// Order is what the resolver sends to Enter: the gate's number in
// egress.Chain.Gates, the number of one of Lives or Closing, the family (4 or 6) and the
// address.
func Order(gate, life int, a netip.Addr) []byte {
	return append(order(gate, life, a.Is6()), a.AsSlice()...)
}

func order(gate, life int, v6 bool) []byte {
	family := byte(4)
	if v6 {
		family = 6
	}
	return []byte{byte(gate), byte(life), family, 0} //nolint:gosec // at most MostGates
}

const (
	udpHeader   = 8
	orderHead   = 4
	natPriority = -110 // before whoever else changes destinations, as Docker's own resolver does (-100)
)

// The comments of the rules that are for names.
const (
	wordResolver = "what the resolver sends"
	wordLed      = "led to the resolver"
	wordAsked    = "the resolver asks"
	wordEntered  = "entered for "
	wordTakenOut = "taken out for "
	wordUnmade   = "not entered"
	wordSelfMade = "an answer to the resolver from within"
)

func (l layer) named() bool { return !l.inbound && len(l.chain.Gates) > 0 }

func (l layer) natChain() string { return "names-" + l.key }

func (l layer) ordersChain() string { return "orders-" + l.key }

func (l layer) gateSet(gate string, v6 bool) string {
	i := slices.IndexFunc(l.chain.Gates, func(g egress.Gate) bool { return g.Text() == gate })
	return gateSet(l.base(), i, v6)
}

func gateSet(base string, gate int, v6 bool) string {
	if v6 {
		return fmt.Sprintf("%s-gate%d-6", base, gate)
	}
	return fmt.Sprintf("%s-gate%d-4", base, gate)
}

func mark() []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, equal(1, binaryutil.NativeEndian.PutUint32(Mark))}
}

// to matches packets to an address and a port.
func to(a netip.Addr, proto byte, at uint16) []expr.Any {
	return slices.Concat(destination(a), protocol(proto), ports(egress.Ports{Low: at, High: at}))
}

func destination(a netip.Addr) []expr.Any {
	return append(family(a.Is6()), address(a.Is6(), false, 1), equal(1, a.AsSlice()))
}

// names adds what comes before all other rules of a layer.
func (p *program) names(l layer, base *nftables.Chain) {
	if !l.named() {
		return
	}
	orders := &nftables.Chain{Name: l.ordersChain(), Table: p.table}
	p.chains = append(p.chains, orders)
	p.gates(l)
	p.rule(base, wordResolver, mark(), verdict(expr.VerdictGoto, orders.Name))
	for _, at := range []netip.AddrPort{Listen4, Listen6} {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			p.rule(base, wordLed, to(at.Addr(), proto, at.Port()), verdict(expr.VerdictAccept, ""))
		}
	}
	p.selfMade(l, base)
	p.orders(l, orders)
	p.lead(l)
}

// selfMade drops what a program in the namespace sends to others of it as if it
// were a resolver that is asked: with such an answer it would open what it likes,
// and a datagram before the question would lead the question to it, as its answer.
// Docker's own resolver has another port until its answer has passed here.
func (p *program) selfMade(l layer, base *nftables.Chain) {
	for _, a := range asked(slices.Concat(l.facts.Asked, l.facts.Behind)) {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			p.rule(base, wordSelfMade, loopback(false), family(a.Is6()), []expr.Any{address(a.Is6(), true, 1), equal(1, a.AsSlice())}, protocol(proto), []expr.Any{
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: portLength},
				equal(1, binaryutil.BigEndian.PutUint16(dnsPort)),
			}, verdict(expr.VerdictDrop, ""))
		}
	}
}

// gates are the sets, empty.
func (p *program) gates(l layer) {
	for i := range l.chain.Gates {
		for _, v6 := range []bool{false, true} {
			s := &nftables.Set{
				Table: p.table, Name: gateSet(l.base(), i, v6), KeyType: nftables.TypeIPAddr, Dynamic: true, HasTimeout: true,
				Timeout: Lives()[0] + Grace, Size: enteredMost,
			}
			if v6 {
				s.KeyType = nftables.TypeIP6Addr
			}
			p.sets = append(p.sets, set{Set: s})
		}
	}
}

// orders follows the resolver's. The datagram itself is dropped where the
// address was entered, so that whoever sent it knows by the error, and let
// through where it was not.
func (p *program) orders(l layer, c *nftables.Chain) {
	for _, a := range asked(slices.Concat(l.facts.Asked, l.facts.Behind)) {
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			if a.IsLoopback() { // an engine's own resolver, at a port that it leads to
				p.rule(c, wordAsked, destination(a), protocol(proto), verdict(expr.VerdictAccept, ""))
				continue
			}
			p.rule(c, wordAsked, to(a, proto, dnsPort), verdict(expr.VerdictAccept, ""))
		}
	}
	enter := to(Enter.Addr(), unix.IPPROTO_UDP, Enter.Port())
	for _, v6 := range []bool{false, true} {
		shut := map[bool]expr.Any{}
		for i, g := range l.chain.Gates {
			if shut[g.Private] == nil {
				shut[g.Private] = p.lookup(l, v6, intervals(ofFamily(g.Shut(l.facts), v6)), true)
			}
			for life, d := range Lives() {
				p.rule(c, wordEntered+g.Text(), enter, p.orderOf(l, i, life, v6), []expr.Any{
					shut[g.Private],
					&expr.Dynset{
						SrcRegKey: 1, SetName: gateSet(l.base(), i, v6), Operation: unix.NFT_DYNSET_OP_UPDATE, Timeout: d + Grace,
					},
				}, verdict(expr.VerdictDrop, ""))
			}
			p.rule(c, wordTakenOut+g.Text(), enter, p.orderOf(l, i, Closing(), v6), []expr.Any{
				&expr.Dynset{SrcRegKey: 1, SetName: gateSet(l.base(), i, v6), Operation: dynsetDelete},
			}, verdict(expr.VerdictDrop, ""))
		}
	}
	p.rule(c, wordUnmade, enter, verdict(expr.VerdictAccept, ""))
	p.rule(c, wordDropped, verdict(expr.VerdictDrop, ""))
}

// dynsetDelete is NFT_DYNSET_OP_DELETE (kernel, nf_tables.h), since Linux 5.4.
const dynsetDelete = 2

// orderOf matches an order, and loads its address into register 1.
func (p *program) orderOf(l layer, gate, life int, v6 bool) []expr.Any {
	length := uint32(v4Length)
	if v6 {
		length = v6Length
	}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: udpHeader, Len: orderHead},
		equal(1, order(gate, life, v6)),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: udpHeader + orderHead, Len: length},
	}
}

// lead sends every question to the resolver, whoever it is for, except for the
// resolver's own.
func (p *program) lead(l layer) {
	policy := nftables.ChainPolicyAccept
	c := &nftables.Chain{
		Name: l.natChain(), Table: p.table, Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput,
		Priority: nftables.ChainPriorityRef(natPriority), Policy: &policy,
	}
	p.chains = append(p.chains, c)
	p.rule(c, wordResolver, mark(), verdict(expr.VerdictAccept, ""))
	for _, at := range []netip.AddrPort{Listen4, Listen6} {
		nat := uint32(unix.NFPROTO_IPV4)
		if at.Addr().Is6() {
			nat = unix.NFPROTO_IPV6
		}
		for _, proto := range []byte{unix.IPPROTO_UDP, unix.IPPROTO_TCP} {
			p.rule(c, wordLed, family(at.Addr().Is6()), protocol(proto), ports(egress.Ports{Low: dnsPort, High: dnsPort}), []expr.Any{
				&expr.Counter{},
				&expr.Immediate{Register: 1, Data: at.Addr().AsSlice()},
				&expr.Immediate{Register: regNATPort, Data: binaryutil.BigEndian.PutUint16(at.Port())},
				&expr.NAT{
					Type: expr.NATTypeDestNAT, Family: nat, RegAddrMin: 1, RegAddrMax: 1, RegProtoMin: regNATPort, RegProtoMax: regNATPort, Specified: true,
				},
			})
		}
	}
}

// regNATPort is behind the sixteen bytes of register 1.
const regNATPort = 2

func asked(all []netip.Addr) []netip.Addr {
	all = slices.Clone(all)
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

func ofFamily(nets []netip.Prefix, v6 bool) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(nets), func(n netip.Prefix) bool { return n.Addr().Is6() != v6 })
}

// ErrNamesTwice is for a second set of names: a question goes to one resolver.
var ErrNamesTwice = errors.New("two policies with names meet in one network namespace, which has one resolver: give its containers the same names, or all but one none")

// settled finds out whether the layer with names of this request is in the
// namespace already. Its sets then stay as they are, whatever the host's
// addresses and the resolvers are by now.
func settled(layers []layer, before map[string]*nftables.Chain) ([]layer, error) {
	named := slices.IndexFunc(layers, layer.named)
	if i := slices.IndexFunc(layers[named+1:], layer.named); named >= 0 && i >= 0 {
		return nil, ErrNamesTwice
	}
	for name := range before {
		there, ok := strings.CutPrefix(name, "names-")
		switch {
		case !ok || named < 0:
		case there[:min(len(there), keyLength)] != layers[named].key[:keyLength]:
			return nil, ErrNamesTwice
		default:
			return slices.Delete(slices.Clone(layers), named, named+1), nil
		}
	}
	return layers, nil
}

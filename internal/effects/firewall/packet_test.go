package firewall

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
)

// seen takes from the sniffer what came over the link for p, and reports
// whether there was some. Over a veth it is there before send returns.
func (l *lab) seen(p egress.Packet) bool {
	found := false
	buf := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(l.sniffer, buf, 0)
		if err != nil {
			return found
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		found = found || isPacket(buf[:n], p)
	}
}

func isPacket(b []byte, p egress.Packet) bool {
	var proto byte
	var to netip.Addr
	var payload []byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		proto, payload = b[9], b[int(b[0]&15)*4:]
		to, _ = netip.AddrFromSlice(b[16:20])
	case len(b) >= 40 && b[0]>>4 == 6:
		proto, payload = b[6], b[40:]
		to, _ = netip.AddrFromSlice(b[24:40])
	default:
		return false
	}
	return to == p.Addr && proto == number(p.Proto, p.Addr.Is6()) &&
		(p.Proto == egress.ICMP || len(payload) >= 4 && binary.BigEndian.Uint16(payload[2:]) == p.Port)
}

// send sends the first packet of p from the container. Its errors are of no
// interest: what counts is what arrives.
func (l *lab) send(t testing.TB, p egress.Packet) {
	t.Helper()
	must(t, host.InNetwork(l.box, func() error {
		switch p.Proto {
		case egress.UDP:
			c, err := net.Dial("udp", net.JoinHostPort(p.Addr.String(), strconv.Itoa(int(p.Port))))
			if err == nil {
				_, _ = c.Write([]byte("x"))
				_ = c.Close()
			}
			return nil
		case egress.TCP:
			return syn(p)
		}
		return echo(p)
	}))
}

func family4or6(a netip.Addr) int {
	if a.Is6() {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

func sockaddr(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
	}
	return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
}

func syn(p egress.Packet) error {
	fd, err := unix.Socket(family4or6(p.Addr), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = unix.Connect(fd, sockaddr(p.Addr, p.Port)) // in progress, or refused by the rules
	return unix.Close(fd)
}

var echoes atomic.Uint32

func echo(p egress.Packet) error {
	proto, request := unix.IPPROTO_ICMP, byte(8)
	id := echoes.Add(1) // a connection of its own to conntrack
	if p.Addr.Is6() {
		proto, request = unix.IPPROTO_ICMPV6, 128
	}
	fd, err := unix.Socket(family4or6(p.Addr), unix.SOCK_RAW|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return err
	}
	_ = unix.Sendto(fd, []byte{request, 0, 0, 0, byte(id >> 8), byte(id), 0, 1}, 0, sockaddr(p.Addr, 0))
	return unix.Close(fd)
}

// reaches reports whether a packet gets out of the container.
func (l *lab) reaches(t testing.TB, p egress.Packet) bool {
	t.Helper()
	l.seen(p) // what is left of before
	l.send(t, p)
	return l.seen(p)
}

func packet(proto egress.Proto, addr string, port uint16) egress.Packet {
	return egress.Packet{Proto: proto, Addr: netip.MustParseAddr(addr), Port: port}
}

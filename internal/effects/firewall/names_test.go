package firewall

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/retest"
)

// sender is a socket as the resolver has it; without a mark, one of the
// container's.
func (l *lab) sender(t testing.TB, marked bool) int {
	t.Helper()
	fd := -1
	must(t, host.InNetwork(l.box, func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil && marked {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, Mark)
		}
		return err
	}))
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// enter sends an order, and reports whether the kernel followed it.
func enter(fd int, order []byte) error {
	return unix.Sendto(fd, order, 0, &unix.SockaddrInet4{Addr: Enter.Addr().As4(), Port: int(Enter.Port())})
}

func namesPolicy() egress.Policy {
	return egress.Policy{Name: "names", Default: egress.Deny, Allow: []string{
		"a.example.org:443/tcp", "b.example.org:53/udp", "c.example.org:8000-8100", "db.internal:5432 private",
	}}
}

// An order opens one address at the ports of one gate, where that gate may be
// opened for it, and nobody but a marked socket can give it.
func TestOrders(t *testing.T) {
	l := newLab(t)
	inst, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: labFacts()})
	must(t, err)
	c, err := egress.Compile(namesPolicy(), labFacts())
	must(t, err)
	ours, theirs := l.sender(t, true), l.sender(t, false)
	public := netip.MustParseAddr("8.8.8.8")
	web := packet(egress.TCP, "8.8.8.8", 443)
	gate := func(text string) int {
		for i, g := range c.Gates {
			if g.Text() == text {
				return i
			}
		}
		t.Fatal("no gate " + text)
		return 0
	}
	if err := enter(theirs, Order(gate("names:443/tcp"), 0, public)); err == nil && l.reaches(t, web) {
		t.Error("a socket without the mark opened a gate")
	}
	for _, bad := range [][]byte{nil, {1}, Order(31, 0, public), Order(gate("names:443/tcp"), 9, public), Order(gate("names:443/tcp"), 0, public)[:7], bytes.Repeat([]byte{255}, 1400)} {
		if err := enter(ours, bad); err != nil {
			t.Errorf("%v: %v", bad, err)
		}
	}
	if l.reaches(t, web) {
		t.Error("an order that is none opened a gate")
	}
	for _, shut := range []string{"10.1.2.3", "169.254.169.254", "127.0.0.1", "10.99.0.7", "224.0.0.1", "fe80::1", "::1", "fd00:1::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"} {
		if err := enter(ours, Order(gate("names:443/tcp"), 0, netip.MustParseAddr(shut))); err != nil {
			t.Errorf("%s was entered: %v", shut, err)
		}
	}
	if err := enter(ours, Order(gate("names:443/tcp"), 0, public)); !errors.Is(err, unix.EPERM) {
		t.Fatal("not entered: ", err)
	}
	for p, want := range map[egress.Packet]bool{
		web: true, packet(egress.UDP, "8.8.8.8", 443): false, packet(egress.TCP, "8.8.8.8", 80): false, packet(egress.TCP, "8.8.4.4", 443): false,
	} {
		if got := l.reaches(t, p); got != want {
			t.Errorf("%v: %v", p, got)
		}
	}
	// By another order the address is taken out, and it alone.
	beside := netip.MustParseAddr("8.8.4.4")
	if err := enter(ours, Order(gate("names:443/tcp"), 0, beside)); !errors.Is(err, unix.EPERM) {
		t.Fatal("not entered: ", err)
	}
	if err := enter(theirs, Order(gate("names:443/tcp"), Closing(), public)); err == nil && !l.reaches(t, web) {
		t.Error("a socket without the mark closed a gate")
	}
	for range 2 { // the second finds nothing
		if err := enter(ours, Order(gate("names:443/tcp"), Closing(), public)); !errors.Is(err, unix.EPERM) {
			t.Fatal("not taken out: ", err)
		}
	}
	if l.reaches(t, web) || !l.reaches(t, packet(egress.TCP, "8.8.4.4", 443)) {
		t.Error("another address was taken out than the one of the order")
	}
	// A marked socket reaches nobody but those whom it asks.
	must(t, unix.SetsockoptTimeval(ours, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1}))
	for _, to := range []string{"8.8.8.8:443", "9.9.9.9:54"} {
		a := netip.MustParseAddrPort(to)
		l.seen(web)
		_ = unix.Sendto(ours, []byte("x"), 0, sockaddr(a.Addr(), a.Port()))
		if l.seen(packet(egress.UDP, a.Addr().String(), a.Port())) {
			t.Errorf("a marked socket reached %s", to)
		}
	}
	must(t, inst.Undo())
}

// A policy that is installed again leaves the sets as they are; one with other
// names has no place beside it.
func TestNamesTwice(t *testing.T) {
	l := newLab(t)
	f := labFacts()
	_, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: f})
	must(t, err)
	ours := l.sender(t, true)
	if err := enter(ours, Order(0, 0, netip.MustParseAddr("8.8.8.8"))); !errors.Is(err, unix.EPERM) {
		t.Fatal(err)
	}
	other := f
	other.Resolvers, other.Asked, other.Host = []netip.Addr{netip.MustParseAddr("9.9.9.10")}, nil, nil
	again, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: other})
	must(t, err)
	must(t, again.Undo())
	c, err := egress.Compile(namesPolicy(), f)
	must(t, err)
	p := egress.Packet{Proto: egress.TCP, Addr: netip.MustParseAddr("8.8.8.8"), Port: c.Gates[0].Ports.Low}
	if !l.reaches(t, p) {
		t.Error("the second container closed what was open for the first")
	}
	second := namesPolicy()
	second.Allow = second.Allow[1:]
	if _, err := Install(Request{FD: l.box, Egress: []egress.Policy{second}, Facts: f}); !errors.Is(err, ErrNamesTwice) {
		t.Error(err)
	}
	if _, err := Install(Request{FD: retest.Network(t), Egress: []egress.Policy{second, namesPolicy()}, Facts: f}); !errors.Is(err, ErrNamesTwice) {
		t.Error(err)
	}
}

// Every question goes to the resolver, and only what the resolver sends leaves.
func TestQuestionsAreLed(t *testing.T) {
	l := newLab(t)
	f := labFacts()
	f.Asked = []netip.Addr{farAddr4}
	_, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: f})
	must(t, err)
	listener := -1
	must(t, host.InNetwork(l.box, func() (err error) {
		if listener, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err == nil {
			err = unix.Bind(listener, sockaddr(Listen4.Addr(), Listen4.Port()))
		}
		return err
	}))
	defer unix.Close(listener)
	for _, to := range []string{"8.8.8.8", "10.200.0.1", "127.0.0.11", "169.254.169.254"} {
		theirs := l.sender(t, false)
		must(t, unix.Sendto(theirs, []byte("who"), 0, sockaddr(netip.MustParseAddr(to), 53)))
		buf := make([]byte, 16)
		must(t, unix.SetsockoptTimeval(listener, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}))
		n, from, err := unix.Recvfrom(listener, buf, 0)
		if err != nil || string(buf[:n]) != "who" {
			t.Fatal(to, err)
		}
		must(t, unix.Sendto(listener, []byte("me"), 0, from))
		must(t, unix.SetsockoptTimeval(theirs, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}))
		if _, from, err = unix.Recvfrom(theirs, buf, 0); err != nil {
			t.Fatal(to, err)
		}
		if got := from.(*unix.SockaddrInet4); netip.AddrFrom4(got.Addr).String() != to || got.Port != 53 {
			t.Errorf("the answer to a question to %s is from %v:%d", to, got.Addr, got.Port)
		}
	}
	l.seen(packet(egress.UDP, "9.9.9.9", 53))
	ours := l.sender(t, true)
	must(t, unix.Sendto(ours, []byte("x"), 0, sockaddr(farAddr4, 53)))
	if !l.seen(packet(egress.UDP, farAddr4.String(), 53)) {
		t.Error("the resolver cannot ask")
	}
}

// No program of the container answers the resolver in the place of whom it asks,
// at an address that the namespace itself has: neither by an answer nor by a
// datagram before the question, of which the question would be the answer.
func TestContainerIsNoResolver(t *testing.T) {
	for _, at := range []string{"127.0.0.11", "127.0.0.1", boxAddr4.String()} {
		l := newLab(t)
		f := labFacts()
		f.Asked = []netip.Addr{netip.MustParseAddr(at)}
		_, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: f})
		must(t, err)
		theirs, ours := l.sender(t, false), l.sender(t, true)
		must(t, unix.Bind(theirs, sockaddr(f.Asked[0], dnsPort)))
		must(t, unix.Connect(ours, sockaddr(f.Asked[0], dnsPort)))
		local, err := unix.Getsockname(ours)
		must(t, err)
		if err := unix.Sendto(theirs, []byte("forged"), 0, local); !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: an answer was sent: %v", at, err)
		}
		if n, _, err := unix.Recvfrom(ours, make([]byte, 16), unix.MSG_DONTWAIT); err == nil {
			t.Errorf("%s: %d bytes of an answer came", at, n)
		}
		// What is no answer of a resolver is the container's own matter.
		other, to := l.sender(t, false), l.sender(t, false)
		must(t, unix.Bind(to, sockaddr(f.Asked[0], 0)))
		local, err = unix.Getsockname(to)
		must(t, err)
		must(t, unix.Sendto(other, []byte("own"), 0, local))
	}
}

// A resolver on loopback is the container itself; Docker's is not.
func TestWhoIsAsked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	for text, want := range map[string]string{
		"nameserver 127.0.0.1\nnameserver 9.9.9.9\n":                                               "[9.9.9.9]",
		"nameserver 127.0.0.11\nnameserver 9.9.9.9\n":                                              "[127.0.0.11 9.9.9.9]",
		"nameserver ::1\nnameserver ::ffff:127.0.0.1\nnameserver 127.0.0.53\nnameserver 9.9.9.9\n": "[9.9.9.9]",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		f, err := withResolvers(egress.Facts{}, file)
		if err != nil || fmt.Sprint(f.Asked) != want {
			t.Errorf("%q: %v %v", text, f.Asked, err)
		}
	}
	must(t, os.WriteFile(file, []byte("nameserver 127.0.0.1\n"), 0o600))
	f, err := withResolvers(egress.Facts{}, file)
	if err != nil || fmt.Sprint(f.Asked) != fmt.Sprint(f.Behind) {
		t.Errorf("%v, not the host's %v: %v", f.Asked, f.Behind, err)
	}
}

// What the names of a policy stand for is open as the evaluator says, whatever
// was entered for other names and ordered in vain.
func TestEvaluatorIsTheKernelsForNames(t *testing.T) {
	l := newLab(t)
	ours := l.sender(t, true)
	var verdicts [2]int
	rapid.Check(t, func(r *rapid.T) {
		p := drawPolicy(r)
		p.Default = egress.Deny
		names := []string{"a.example.org", "b.example.org", "*.example.net", "db.internal"}
		for range rapid.IntRange(1, 6).Draw(r, "names") {
			e := rapid.SampledFrom(names).Draw(r, "name") + rapid.SampledFrom([]string{":443/tcp", ":80", ":8000-8100/udp", "/icmp", ":1-65535", ":80/tcp"}).Draw(r, "ports")
			if rapid.Bool().Draw(r, "private") {
				e += " private"
			}
			p.Allow = append(p.Allow, e)
		}
		in, err := Install(Request{FD: l.box, Egress: []egress.Policy{p}, Facts: labFacts()})
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := in.Undo(); err != nil {
				r.Fatal(err)
			}
		}()
		c, err := egress.Compile(p, labFacts())
		if err != nil {
			r.Fatal(err)
		}
		entered := map[netip.Addr]string{}
		for range 6 {
			name, a := strings.Replace(rapid.SampledFrom(names).Draw(r, "asked"), "*", "x", 1), drawAddr(r)
			if _, twice := entered[a]; twice {
				continue
			}
			entered[a] = name
			for i, g := range c.Gates {
				if !g.Has(name) {
					continue
				}
				err := enter(ours, Order(i, rapid.IntRange(0, len(Lives())-1).Draw(r, "life"), a))
				if errors.Is(err, unix.EPERM) != g.Opens(a, labFacts()) {
					r.Fatalf("%s for %s: %v", a, g.Text(), err)
				}
			}
		}
		for range 10 {
			p2 := egress.Packet{Proto: rapid.SampledFrom([]egress.Proto{egress.TCP, egress.UDP, egress.ICMP}).Draw(r, "proto"), Addr: drawAddr(r)}
			if p2.Proto != egress.ICMP {
				if p2.Port = drawPort(r); p2.Port == dnsPort {
					continue // led to the resolver
				}
			}
			p2.Name = entered[p2.Addr]
			want, err := egress.Decide(p2, []egress.Policy{p}, labFacts())
			if err != nil {
				r.Fatal(err)
			}
			if got := l.reaches(t, p2); got != (want.Verdict == egress.Allow) {
				r.Fatalf("%v: the evaluator says %v, by entry %q; it reached the far end: %v", p2, want.Verdict, want.Entry, got)
			}
			if want.Verdict == egress.Allow {
				verdicts[0]++
			} else {
				verdicts[1]++
			}
		}
	})
	t.Logf("%d allowed and %d denied", verdicts[0], verdicts[1])
}

// An address is shut again when its time is over.
func TestTimeIsOver(t *testing.T) {
	if Lives()[0]+Grace > 2*time.Minute {
		t.Fatal("the shortest life is no longer short")
	}
	l := newLab(t)
	_, err := Install(Request{FD: l.box, Egress: []egress.Policy{namesPolicy()}, Facts: labFacts()})
	must(t, err)
	k, err := open(l.box)
	must(t, err)
	defer k.close()
	ours := l.sender(t, true)
	for life, d := range Lives() {
		_ = enter(ours, Order(0, life, netip.MustParseAddr("8.8.8.8")))
		chains, err := k.chains()
		must(t, err)
		for name := range chains {
			base, ok := strings.CutPrefix(name, "names-")
			if !ok {
				continue
			}
			s := set{}
			s.Set, err = k.nft.GetSetByName(table(), gateSet("out-"+base, 0, false))
			must(t, err)
			found, err := k.nft.GetSetElements(s.Set)
			must(t, err)
			if len(found) != 1 || found[0].Expires > d+Grace || found[0].Expires < d+Grace-10*time.Second {
				t.Errorf("life %d: %+v", life, found)
			}
		}
	}
}

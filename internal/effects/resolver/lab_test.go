package resolver

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/retest"
)

// program is hatchdog, built as it ships: a resolver of a test's own program would
// have cgo, and the race detector, in it.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "resolver")
	if err == nil {
		program = filepath.Join(dir, "hatchdog")
		build := exec.Command("go", "build", "-o", program, "../../../cmd/hatchdog")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		var out []byte
		if out, err = build.CombinedOutput(); err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lab is a container's network namespace, the process that it ends with, and the
// far end of its only link, which takes every address for its own.
type lab struct {
	box, far int
	first    *exec.Cmd
	status   string
	pid      int
	facts    egress.Facts
	zone     *zone
}

const boxAddr, farAddr = "10.200.0.2", "10.200.0.1"

func newLab(t testing.TB, allow ...string) *lab {
	t.Helper()
	retest.NeedRoot(t, "make network namespaces")
	l := &lab{box: retest.Network(t), far: retest.Network(t), status: filepath.Join(t.TempDir(), "resolver.json"), zone: newZone()}
	box, err := netlink.NewHandleAt(netns.NsHandle(l.box), unix.NETLINK_ROUTE)
	must(t, err)
	defer box.Close()
	far, err := netlink.NewHandleAt(netns.NsHandle(l.far), unix.NETLINK_ROUTE)
	must(t, err)
	defer far.Close()
	must(t, box.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "eth0", PeerNamespace: netlink.NsFd(l.far)}))
	for h, addr := range map[*netlink.Handle]string{box: boxAddr, far: farAddr} {
		for _, name := range []string{"lo", "eth0"} {
			link, err := h.LinkByName(name)
			must(t, err)
			must(t, h.LinkSetUp(link))
			if name == "eth0" {
				a, err := netlink.ParseAddr(addr + "/24")
				must(t, err)
				must(t, h.AddrAdd(link, a))
			}
		}
	}
	everything := &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}
	must(t, box.RouteAdd(&netlink.Route{Gw: net.ParseIP(farAddr), Dst: everything}))
	lo, err := far.LinkByName("lo")
	must(t, err)
	must(t, far.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: everything, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: unix.RT_SCOPE_HOST}))
	eth, err := far.LinkByName("eth0")
	must(t, err)
	must(t, far.RouteAdd(&netlink.Route{LinkIndex: eth.Attrs().Index, Dst: netlink.NewIPNet(net.ParseIP(boxAddr)), Table: unix.RT_TABLE_LOCAL}))
	l.zone.serve(t, l.far)
	l.start(t, allow)
	return l
}

func (l *lab) start(t testing.TB, allow []string) {
	t.Helper()
	allow, refused := cutWord(allow, answersRefused)
	l.facts = egress.Facts{Host: []netip.Prefix{netip.MustParsePrefix("198.51.7.0/24")}, Asked: []netip.Addr{netip.MustParseAddr(farAddr)}}
	p := egress.Policy{Name: "lab", Default: egress.Deny, Allow: allow, Refused: refused}
	in, err := firewall.Install(firewall.Request{FD: l.box, Egress: []egress.Policy{p}, Facts: l.facts})
	must(t, err)
	c, err := egress.Compile(p, l.facts)
	must(t, err)
	l.first = exec.Command("sleep", "1000")
	must(t, l.first.Start())
	t.Cleanup(func() { _ = l.first.Process.Kill(); _ = l.first.Wait() })
	l.pid, err = Start(Request{Namespace: l.box, Pid: l.first.Process.Pid, Gates: c.Gates, Refused: in.Refused, Facts: l.facts, Status: l.status, Program: program})
	must(t, err)
	t.Cleanup(func() {
		_ = l.first.Process.Kill()
		if !l.gone(5 * time.Second) {
			t.Error("the resolver outlived its container")
		}
	})
}

// answersRefused stands among what is allowed for a policy that has REFUSED answered.
const answersRefused = "unlisted: refused"

func cutWord(all []string, word string) ([]string, bool) {
	rest := slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == word })
	return rest, len(rest) < len(all)
}

// gone waits for the resolver to end. It is a child of this process, which has
// not waited for it.
func (l *lab) gone(d time.Duration) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var ws unix.WaitStatus
		if p, err := unix.Wait4(l.pid, &ws, unix.WNOHANG, nil); p == l.pid || err == unix.ECHILD {
			return true
		}
	}
	return false
}

// zone is what the far resolver knows. Whoever is asked for is counted.
type zone struct {
	mu      sync.Mutex
	records map[string][]dnsmessage.Resource
	forge   atomic.Pointer[func(q dnsmessage.Message) [][]byte]
	silent  atomic.Bool
	asked   chan string
	rcode   atomic.Int32
}

func newZone() *zone {
	return &zone{records: map[string][]dnsmessage.Resource{}, asked: make(chan string, 100000)}
}

func (z *zone) add(owner string, ttl uint32, values ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name := dnsmessage.MustNewName(owner + ".")
	for _, v := range values {
		h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl}
		r := dnsmessage.Resource{Header: h}
		if a, err := netip.ParseAddr(v); err != nil {
			r.Header.Type, r.Body = dnsmessage.TypeCNAME, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(v + ".")}
		} else if a.Is4() {
			r.Header.Type, r.Body = dnsmessage.TypeA, &dnsmessage.AResource{A: a.As4()}
		} else {
			r.Header.Type, r.Body = dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: a.As16()}
		}
		z.records[owner] = append(z.records[owner], r)
	}
}

func (z *zone) answer(b []byte, size int) [][]byte {
	z.mu.Lock()
	defer z.mu.Unlock()
	var q dnsmessage.Message
	if q.Unpack(b) != nil || len(q.Questions) != 1 {
		return nil
	}
	name := plain(q.Questions[0].Name)
	z.asked <- name
	if f := z.forge.Load(); f != nil {
		return (*f)(q)
	}
	if z.silent.Load() {
		return nil
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, RCode: dnsmessage.RCode(z.rcode.Load())}, Questions: q.Questions}
	if z.records[name] == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	for range maxChain {
		next := ""
		for _, r := range z.records[name] {
			if r.Header.Type == q.Questions[0].Type || r.Header.Type == dnsmessage.TypeCNAME {
				m.Answers = append(m.Answers, r)
			}
			if c, ok := r.Body.(*dnsmessage.CNAMEResource); ok {
				next = plain(c.CNAME)
			}
		}
		if name = next; name == "" {
			break
		}
	}
	out, err := m.Pack()
	if err == nil && len(out) > size {
		m.Answers, m.Truncated = nil, true
		out, err = m.Pack()
	}
	if err != nil {
		return nil
	}
	return [][]byte{out}
}

func (z *zone) serve(t testing.TB, ns int) {
	t.Helper()
	var pc net.PacketConn
	var ln net.Listener
	must(t, host.InNetwork(ns, func() (err error) {
		if pc, err = net.ListenPacket("udp4", farAddr+":53"); err == nil {
			ln, err = net.Listen("tcp4", farAddr+":53")
		}
		return err
	}))
	t.Cleanup(func() { _ = pc.Close(); _ = ln.Close() })
	go func() {
		buf := make([]byte, 65536)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, out := range z.answer(buf[:n], ednsSize) {
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head := make([]byte, 2)
				if _, err := c.Read(head); err != nil {
					return
				}
				b := make([]byte, binary.BigEndian.Uint16(head))
				_, _ = c.Read(b)
				for _, out := range z.answer(b, maxAnswer) {
					_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...))
				}
			}()
		}
	}()
}

// ask asks a question from the container, of whatever resolver.
func (l *lab) ask(t testing.TB, network, to, name string, kind dnsmessage.Type) (dnsmessage.Message, error) {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 77, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: kind, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	must(t, err)
	var got dnsmessage.Message
	err = host.InNetwork(l.box, func() error {
		c, err := net.Dial(network, net.JoinHostPort(to, "53"))
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(8 * time.Second))
		if network == "tcp" {
			b = append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		buf := make([]byte, 65538)
		n, err := c.Read(buf)
		if err != nil {
			return err
		}
		out := buf[:n]
		if network == "tcp" {
			for len(out) < 2 || len(out) < 2+int(binary.BigEndian.Uint16(out)) {
				if n, err = c.Read(buf[len(out):]); err != nil {
					return err
				}
				out = buf[:len(out)+n]
			}
			out = out[2:]
		}
		return got.Unpack(out)
	})
	if err == nil && got.ID != 77 {
		t.Errorf("the answer has the id %d", got.ID)
	}
	return got, err
}

func addrs(m dnsmessage.Message) string {
	var all []string
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			all = append(all, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			all = append(all, netip.AddrFrom16(b.AAAA).String())
		case *dnsmessage.CNAMEResource:
			all = append(all, "alias")
		}
	}
	return strings.Join(all, " ")
}

// connects reports whether a connection from the container is let out. It is tried
// for as long as a rule takes to refuse it.
func (l *lab) connects(t testing.TB, to string) bool {
	t.Helper()
	sniffer := l.sniffs(t)
	must(t, host.InNetwork(l.box, func() error {
		if c, err := net.DialTimeout("tcp", to, 300*time.Millisecond); err == nil {
			_ = c.Close()
		}
		return nil
	}))
	return sent(sniffer)[to+"/6"+opens] > 0
}

package resolver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/host"
)

// What goes to another resolver is made of the name and the type: no flag, option,
// padding, letter or number of the container's message is in it.
func TestAskedIsTheNameAlone(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		kind := rapid.SampledFrom([]dnsmessage.Type{typeA, typeAAAA, dnsmessage.TypeTXT, dnsmessage.TypeMX}).Draw(r, "type")
		letters := []byte("www.example.org.")
		for i := range letters {
			if letters[i] != '.' && rapid.Bool().Draw(r, "capital") {
				letters[i] -= 'a' - 'A'
			}
		}
		m := dnsmessage.Message{
			Header: dnsmessage.Header{
				ID: rapid.Uint16().Draw(r, "id"), RecursionDesired: rapid.Bool().Draw(r, "rd"), AuthenticData: rapid.Bool().Draw(r, "ad"),
				CheckingDisabled: rapid.Bool().Draw(r, "cd"), Authoritative: rapid.Bool().Draw(r, "aa"), RecursionAvailable: rapid.Bool().Draw(r, "ra"),
				Truncated: rapid.Bool().Draw(r, "tc"), RCode: dnsmessage.RCode(rapid.IntRange(0, 15).Draw(r, "code")),
			},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(string(letters)), Type: kind, Class: dnsmessage.ClassINET}},
		}
		if rapid.Bool().Draw(r, "edns") {
			var opt dnsmessage.ResourceHeader
			if err := opt.SetEDNS0(int(rapid.Uint16().Draw(r, "size")), dnsmessage.RCode(rapid.IntRange(0, 0xfff).Draw(r, "extended")), rapid.Bool().Draw(r, "do")); err != nil {
				r.Fatal(err)
			}
			m.Additionals = []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{Options: []dnsmessage.Option{
				{Code: rapid.Uint16().Draw(r, "option"), Data: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(r, "data")}, // padding, cookie, client subnet
			}}}}
		}
		b, err := m.Pack()
		if err != nil {
			r.Fatal(err)
		}
		q, _, err := parseQuestion(b)
		if err != nil {
			r.Fatal(err)
		}
		got, err := ask(7, q.q)
		if err != nil {
			r.Fatal(err)
		}
		want, err := ask(7, dnsmessage.Question{Name: dnsmessage.MustNewName("www.example.org."), Type: kind, Class: dnsmessage.ClassINET})
		if err != nil || !bytes.Equal(got, want) {
			r.Fatalf("%x, not %x: %v", got, want, err)
		}
	})
}

// Types that could carry what they like, and those that hold addresses which were not
// entered, go to nobody.
func TestTypesThatAreNotAsked(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp", "*.cdn.example.net:443/tcp")
	const null, svcb, any, axfr = 10, 64, 255, 252
	for _, kind := range []dnsmessage.Type{null, svcb, dnsmessage.TypeHTTPS, any, axfr, dnsmessage.TypePTR, dnsmessage.TypeOPT, 65280} {
		for _, name := range []string{"www.example.org", "a.cdn.example.net"} {
			got, err := l.ask(t, "udp", anyResolver, name, kind)
			if err != nil || got.RCode != dnsmessage.RCodeSuccess || len(got.Answers) > 0 {
				t.Errorf("%s %v: %+v %v", name, kind, got, err)
			}
		}
	}
	if len(l.zone.asked) > 0 {
		t.Errorf("%s went to another resolver", <-l.zone.asked)
	}
}

// A connection may carry many questions before the first answer. They are answered
// in their order, allowed and refused ones.
func TestPipelinedQuestions(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	const many = 300
	c := l.connect(t)
	defer c.Close()
	go func() {
		for i := range many {
			_, _ = c.Write(framed(t, uint16(i), []string{"www.example.org", "no.example.org"}[i%2])) //nolint:gosec // few
		}
	}()
	must(t, c.SetReadDeadline(time.Now().Add(30*time.Second)))
	for i := range many {
		got := answerOf(t, c)
		want := []dnsmessage.RCode{dnsmessage.RCodeSuccess, dnsmessage.RCodeNameError}[i%2]
		if int(got.ID) != i || got.RCode != want {
			t.Fatalf("answer %d: %v", i, got.Header)
		}
	}
}

// Clients that are slow, silent or never read keep nobody else from an answer.
func TestSlowClients(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	for i := range 10 * connections {
		c := l.connect(t)
		defer c.Close()
		switch i % 3 {
		case 0: // half a question
			_, _ = c.Write(framed(t, 1, "www.example.org")[:9])
		case 1: // questions whose answers are not read
			_ = c.(*net.TCPConn).SetReadBuffer(1)
			for range 50 {
				_, _ = c.Write(framed(t, 1, "no.example.org"))
			}
		}
	}
	for _, network := range []string{"udp", "tcp"} {
		start := time.Now()
		got, err := l.ask(t, network, anyResolver, "www.example.org", typeA)
		if err != nil || addrs(got) != "8.8.8.8" || time.Since(start) > patience*attempts {
			t.Errorf("%s: %v %v after %v", network, got.Header, err, time.Since(start))
		}
	}
	fds, err := openFiles(l.pid)
	must(t, err)
	if fds > 2*connections+4*(datagrams+streams) {
		t.Errorf("it holds %d files", fds)
	}
}

// An answer as long as they come, full of addresses, opens as many as it may.
func TestLongestAnswer(t *testing.T) {
	l := newLab(t, "many.example.org:443/tcp")
	f := func(q dnsmessage.Message) [][]byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
		b, err := m.Pack()
		must(t, err)
		const longest = 65507 // of a datagram over IPv4
		records := (longest - len(b)) / 16
		for i := range records { // the name by a pointer to the question's
			b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 20, 1, byte(i>>8), byte(i))
		}
		binary.BigEndian.PutUint16(b[6:], uint16(records)) //nolint:gosec // bounded
		return [][]byte{b}
	}
	l.zone.forge.Store(&f)
	// The far resolver's datagram is longer than a link takes, and is sent in pieces.
	got, err := l.ask(t, "tcp", anyResolver, "many.example.org", typeA)
	if err != nil || len(got.Answers) != maxRecords {
		t.Errorf("%d records: %v", len(got.Answers), err)
	}
	if l.connects(t, "20.1.255.1:443") || !l.connects(t, "20.1.0.1:443") {
		t.Error("other addresses are open than those that were answered")
	}
}

// Names that point at themselves, in the message and by aliases, end.
func TestLoops(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	for what, records := range map[string][]byte{
		"owner": {0xc0, 33, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 6, 6, 6, 6},
		"alias": {0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12},
	} {
		f := func(q dnsmessage.Message) [][]byte {
			m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: q.Questions}
			b, err := m.Pack()
			must(t, err)
			b[7] = 1
			return [][]byte{append(b, records...)}
		}
		l.zone.forge.Store(&f)
		if got, err := l.ask(t, "udp", anyResolver, "www.example.org", typeA); err != nil || strings.Contains(addrs(got), "6.6.6.6") {
			t.Errorf("%s: %v %v", what, got, err)
		}
	}
	if l.connects(t, "6.6.6.6:443") {
		t.Error("an address of no answer is open")
	}
	// Aliases of aliases, more than are followed, and in a ring.
	l.zone.forge.Store(nil)
	for i := range 3 * maxChain {
		l.zone.add(fmt.Sprintf("a%d.example.com", i), 60, fmt.Sprintf("a%d.example.com", i+1))
	}
	l.zone.add("www.example.org", 60, "a0.example.com")
	l.zone.add(fmt.Sprintf("a%d.example.com", 3*maxChain), 60, "6.6.6.6")
	if got, err := l.ask(t, "tcp", anyResolver, "www.example.org", typeA); err != nil || strings.Contains(addrs(got), "6.6.6.6") {
		t.Errorf("%v %v", got, err)
	}
}

// A policy of ten thousand names costs memory in proportion, and no time.
func TestTenThousandNames(t *testing.T) {
	allow := make([]string, 10000)
	for i := range allow {
		allow[i] = fmt.Sprintf("service-%05d.department.example.org:443/tcp", i)
	}
	l := newLab(t, allow...)
	l.zone.add("service-09999.department.example.org", 60, "8.8.8.8")
	var took []time.Duration
	for range 100 {
		start := time.Now()
		got, err := l.ask(t, "udp", anyResolver, "service-09999.department.example.org", typeA)
		if err != nil || addrs(got) != "8.8.8.8" {
			t.Fatal(got, err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("a look-up takes %v; %s", took[len(took)/2], resident(t, l.pid))
	if took[len(took)/2] > 20*time.Millisecond {
		t.Errorf("a look-up takes %v", took[len(took)/2])
	}
	if got, err := l.ask(t, "udp", anyResolver, "service-10000.department.example.org", typeA); err != nil || got.RCode != dnsmessage.RCodeNameError {
		t.Errorf("%v %v", got, err)
	}
}

func (l *lab) connect(t testing.TB) net.Conn {
	t.Helper()
	var c net.Conn
	must(t, host.InNetwork(l.box, func() (err error) {
		c, err = net.DialTimeout("tcp4", anyResolver+":53", 5*time.Second)
		return err
	}))
	return c
}

func framed(t testing.TB, id uint16, name string) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name + "."), Type: typeA, Class: dnsmessage.ClassINET}},
	}
	b, err := m.Pack()
	must(t, err)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) //nolint:gosec // a question
}

func answerOf(t testing.TB, c net.Conn) dnsmessage.Message {
	t.Helper()
	read := func(n int) []byte {
		b := make([]byte, n)
		for have := 0; have < n; {
			more, err := c.Read(b[have:])
			must(t, err)
			have += more
		}
		return b
	}
	var m dnsmessage.Message
	must(t, m.Unpack(read(int(binary.BigEndian.Uint16(read(2))))))
	return m
}

func openFiles(pid int) (int, error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/fd", pid), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	n, all := 0, make([]byte, 1<<16)
	for {
		read, err := unix.ReadDirent(fd, all)
		if err != nil || read == 0 {
			return n, err
		}
		_, count, _ := unix.ParseDirent(all[:read], -1, nil)
		n += count
	}
}

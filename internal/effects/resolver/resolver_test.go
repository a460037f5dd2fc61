package resolver

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

const (
	typeA, typeAAAA = dnsmessage.TypeA, dnsmessage.TypeAAAA
	anyResolver     = "9.9.9.9" // questions are led to ours, whoever they are for
)

func TestNamesAreOpened(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp", "*.cdn.example.net:443/tcp", "db.internal:5432 private", "xn--bcher-kva.example:443/tcp", "many.example.org:80", "rebound.example.org:80")
	l.zone.add("www.example.org", 60, "edge.cdn.example.com", "203.1.1.9")
	l.zone.add("edge.cdn.example.com", 60, "8.8.8.8", "2606:4700::1")
	l.zone.add("a.cdn.example.net", 100000, "8.8.4.4")
	l.zone.add("a.b.cdn.example.net", 60, "8.8.4.5")
	l.zone.add("db.internal", 60, "10.1.1.1")
	l.zone.add("xn--bcher-kva.example", 60, "8.8.9.9")
	l.zone.add("other.example.org", 60, "8.8.1.1")
	l.zone.add("rebound.example.org", 60, "10.1.1.2", "169.254.169.254", "127.0.0.1", "198.51.7.7", "::1", "fd00::1", "::ffff:8.8.8.8")
	for i := range 30 {
		l.zone.add("many.example.org", 60, fmt.Sprintf("20.1.1.%d", i+1), fmt.Sprintf("2606:4700::2:%x", i+1))
	}
	if l.connects(t, "8.8.8.8:443") {
		t.Error("an address is open before its name was asked for")
	}
	for _, c := range []struct {
		network, to, name string
		kind              dnsmessage.Type
		code              dnsmessage.RCode
		want              string
	}{
		{"udp", anyResolver, "www.example.org", typeA, 0, "alias 8.8.8.8"},
		{"udp", farAddr, "WWW.Example.ORG", typeAAAA, 0, "alias 2606:4700::1"},
		{"tcp", "127.0.0.11", "www.example.org", typeA, 0, "alias 8.8.8.8"},
		{"udp", anyResolver, "a.cdn.example.net", typeA, 0, "8.8.4.4"},
		{"udp", anyResolver, "a.b.cdn.example.net", typeA, dnsmessage.RCodeNameError, ""},
		{"udp", anyResolver, "cdn.example.net", typeA, dnsmessage.RCodeNameError, ""},
		{"udp", anyResolver, "db.internal", typeA, 0, "10.1.1.1"},
		{"udp", anyResolver, "XN--BCHER-KVA.example", typeA, 0, "8.8.9.9"},
		{"udp", anyResolver, "b\xc3\xbccher.example", typeA, dnsmessage.RCodeNameError, ""},
		{"udp", anyResolver, "other.example.org", typeA, dnsmessage.RCodeNameError, ""},
		{"udp", anyResolver, "www.example.org.shop.svc.cluster.local", typeA, dnsmessage.RCodeNameError, ""},
		{"tcp", anyResolver, "other.example.org", typeA, dnsmessage.RCodeNameError, ""},
		{"udp", anyResolver, "rebound.example.org", typeA, dnsmessage.RCodeRefused, ""},
		{"udp", anyResolver, "rebound.example.org", typeAAAA, dnsmessage.RCodeRefused, ""},
		{"udp", anyResolver, "www.example.org", dnsmessage.TypeHTTPS, 0, ""},
		{"udp", anyResolver, "www.example.org", 255, 0, ""},
		{"udp", anyResolver, "www.example.org", dnsmessage.TypePTR, 0, ""},
	} {
		got, err := l.ask(t, c.network, c.to, c.name, c.kind)
		if err != nil || got.RCode != c.code || addrs(got) != c.want {
			t.Errorf("%+v: %v %q %v", c, got.RCode, addrs(got), err)
		}
		for _, r := range got.Answers {
			if r.Header.TTL > 3600 {
				t.Errorf("%s lives %d s", c.name, r.Header.TTL)
			}
		}
	}
	for to, want := range map[string]bool{
		"8.8.8.8:443": true, "8.8.8.8:80": false, "203.1.1.9:443": false, "8.8.4.4:443": true, "8.8.4.5:443": false, "8.8.1.1:443": false,
		"10.1.1.1:5432": true, "10.1.1.1:443": false, "10.1.1.2:80": false, "169.254.169.254:80": false, "198.51.7.7:80": false, farAddr + ":80": false,
	} {
		if l.connects(t, to) != want {
			t.Errorf("%s: open is not %v", to, want)
		}
	}
	// An answer too long for a datagram is asked for, and given, over TCP.
	if got, err := l.ask(t, "udp", anyResolver, "many.example.org", typeAAAA); err != nil || !got.Truncated || len(got.Answers) > 0 {
		t.Errorf("%v %v", got.Header, err)
	}
	if got, err := l.ask(t, "tcp", anyResolver, "many.example.org", typeAAAA); err != nil || len(got.Answers) != 30 {
		t.Errorf("%v %d %v", got.Header, len(got.Answers), err)
	}
	for len(l.zone.asked) > 0 {
		name := <-l.zone.asked
		if strings.HasPrefix(name, "other") || strings.Contains(name, "cluster") || name == "cdn.example.net" {
			t.Errorf("%s went to another resolver", name)
		}
	}
	time.Sleep(2 * writeEvery)
	st, err := ReadStatus(l.status)
	must(t, err)
	seen := map[string]Name{}
	for _, n := range st.Names {
		seen[n.Name] = n
	}
	if seen["www.example.org"].Hits < 3 || len(seen["www.example.org"].Addrs) != 2 {
		t.Errorf("%+v", st.Names)
	}
	reasons := map[string]string{}
	for _, r := range st.Refused {
		reasons[r.Name] = r.Reason
	}
	if reasons["other.example.org"] != "not in the policy" || !strings.Contains(reasons["rebound.example.org"], "no address that the policy opens") {
		t.Errorf("%+v", st.Refused)
	}
}

// Nothing that is not the answer to the question that was asked opens anything.
func TestForgedAnswers(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	good := func(q dnsmessage.Message, edit func(*dnsmessage.Message)) []byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true}, Questions: slices.Clone(q.Questions), Answers: []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Type: typeA, Class: dnsmessage.ClassINET, TTL: 60},
			Body:   &dnsmessage.AResource{A: [4]byte{6, 6, 6, 6}},
		}}}
		edit(&m)
		b, err := m.Pack()
		if err != nil {
			return nil
		}
		return b
	}
	name := dnsmessage.MustNewName("evil.example.com.")
	var all []func(dnsmessage.Message) []byte
	for what, forged := range map[string]func(dnsmessage.Message) []byte{
		"id": func(q dnsmessage.Message) []byte { return good(q, func(m *dnsmessage.Message) { m.ID++ }) },
		"question": func(q dnsmessage.Message) []byte {
			return good(q, func(m *dnsmessage.Message) { m.Questions[0].Name = name })
		},
		"no question": func(q dnsmessage.Message) []byte { return good(q, func(m *dnsmessage.Message) { m.Questions = nil }) },
		"no response": func(q dnsmessage.Message) []byte { return good(q, func(m *dnsmessage.Message) { m.Response = false }) },
		"owner": func(q dnsmessage.Message) []byte {
			return good(q, func(m *dnsmessage.Message) { m.Answers[0].Header.Name = name })
		},
		"class": func(q dnsmessage.Message) []byte {
			return good(q, func(m *dnsmessage.Message) { m.Answers[0].Header.Class = 3 })
		},
		"additional": func(q dnsmessage.Message) []byte {
			return good(q, func(m *dnsmessage.Message) { m.Additionals, m.Answers = m.Answers, nil })
		},
		"cut":   func(q dnsmessage.Message) []byte { return good(q, func(*dnsmessage.Message) {})[:30] },
		"short": func(dnsmessage.Message) []byte { return []byte{1} },
		"loop": func(q dnsmessage.Message) []byte {
			return append(good(q, func(m *dnsmessage.Message) { m.Answers = nil })[:12], 0xc0, 12, 0, 1, 0, 1)
		},
		"long": func(q dnsmessage.Message) []byte { return make([]byte, 60000) },
	} {
		switch what {
		case "owner", "class", "additional": // an answer, but of nothing: the last
			all = append(all, forged)
		default:
			all = slices.Insert(all, 0, forged)
		}
	}
	f := func(q dnsmessage.Message) (out [][]byte) {
		for _, forged := range all {
			out = append(out, forged(q))
		}
		return out
	}
	l.zone.forge.Store(&f)
	got, err := l.ask(t, "udp", anyResolver, "www.example.org", typeA)
	if err == nil && addrs(got) != "" || l.connects(t, "6.6.6.6:443") {
		t.Errorf("%v %v", got, err)
	}
	// Behind a forged one the true answer still counts.
	after := func(q dnsmessage.Message) [][]byte {
		return [][]byte{good(q, func(m *dnsmessage.Message) { m.ID++ }), good(q, func(*dnsmessage.Message) {})}
	}
	l.zone.forge.Store(&after)
	if got, err := l.ask(t, "udp", anyResolver, "www.example.org", typeA); err != nil || addrs(got) != "6.6.6.6" {
		t.Errorf("%v %v", addrs(got), err)
	}
}

// A resolver that hangs, or fails, is no reason to hang.
func TestSilentResolver(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	l.zone.silent.Store(true)
	start := time.Now()
	got, err := l.ask(t, "udp", anyResolver, "www.example.org", typeA)
	if err != nil || got.RCode != dnsmessage.RCodeServerFailure || time.Since(start) > attempts*patience+time.Second {
		t.Errorf("%v %v after %v", got.Header, err, time.Since(start))
	}
	if got, err := l.ask(t, "udp", anyResolver, "other.example.org", typeA); err != nil || got.RCode != dnsmessage.RCodeNameError {
		t.Errorf("%v %v", got.Header, err)
	}
	l.zone.silent.Store(false)
	l.zone.rcode.Store(int32(dnsmessage.RCodeServerFailure))
	if got, err := l.ask(t, "udp", anyResolver, "www.example.org", typeA); err != nil || got.RCode != dnsmessage.RCodeServerFailure {
		t.Errorf("%v %v", got.Header, err)
	}
}

// What a container sends to its resolver does not end it.
func TestGarbage(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	must(t, host.InNetwork(l.box, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		junk := make([]byte, 1400)
		for i := range 3000 {
			n, _ := unix.Getrandom(junk, 0)
			if i%2 == 0 { // one question
				copy(junk[2:], []byte{1, 0, 0, 1, 0, 0, 0, 0, 0, 0})
			}
			_ = unix.Sendto(fd, junk[:i*7%n], 0, &unix.SockaddrInet4{Addr: [4]byte{9, 9, 9, 9}, Port: 53})
		}
		return nil
	}))
	var got dnsmessage.Message
	var err error
	for range 3 { // the first may find the queue full
		if got, err = l.ask(t, "udp", anyResolver, "www.example.org", typeA); err == nil {
			break
		}
	}
	if err != nil || addrs(got) != "8.8.8.8" {
		t.Errorf("%v %v", got, err)
	}
}

// The process has nothing but its sockets.
func TestLockedDown(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", l.pid))
	must(t, err)
	for _, task := range tasks {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/status", l.pid, task.Name()))
		must(t, err)
		for _, want := range []string{
			"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000",
			"NoNewPrivs:\t1", "Seccomp:\t2", "Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "Groups:\t \n",
		} {
			if !strings.Contains(string(data), want) {
				t.Errorf("no %q in\n%s", want, data)
			}
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", l.pid))
	if err == nil && strings.Count(string(mounts), "\n") != 1 {
		t.Errorf("it has mounts: %s", mounts)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.pid))
	must(t, err)
	for _, fd := range fds {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", l.pid, fd.Name()))
		must(t, err)
		if !strings.HasPrefix(to, "socket:") && to != "/dev/null" && !strings.HasPrefix(to, "/memfd:config") && !strings.HasPrefix(to, "anon_inode:[") && to != l.status {
			t.Errorf("it holds %s", to)
		}
	}
	var box, its unix.Stat_t
	must(t, unix.Fstat(l.box, &box))
	if must(t, unix.Stat(fmt.Sprintf("/proc/%d/ns/net", l.pid), &its)); its.Ino != box.Ino {
		t.Error("it is not in the container's network")
	}
	t.Logf("resident: %s", resident(t, l.pid))
}

func resident(t *testing.T, pid int) string {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	must(t, err)
	var lines []string
	for _, line := range strings.Split(string(data), "\n") {
		for _, k := range []string{"Rss:", "Pss:", "Private_Dirty:", "Anonymous:"} {
			if strings.HasPrefix(line, k) {
				lines = append(lines, strings.Join(strings.Fields(line), " "))
			}
		}
	}
	return strings.Join(lines, ", ")
}

// It ends with the container, and when it is killed nothing opens.
func TestEnds(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	_, err := l.ask(t, "udp", anyResolver, "www.example.org", typeA)
	must(t, err)
	must(t, l.first.Process.Kill())
	if !l.gone(5 * time.Second) {
		t.Fatal("it outlives the container")
	}
	if st, err := ReadStatus(l.status); err != nil || st.Ended != EndedWithContainer || len(st.Names) != 1 {
		t.Errorf("%+v %v", st, err)
	}

	l = newLab(t, "www.example.org:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	must(t, unix.Kill(l.pid, unix.SIGKILL))
	if !l.gone(5 * time.Second) {
		t.Fatal("it cannot be killed")
	}
	if got, err := l.ask(t, "udp", farAddr, "www.example.org", typeA); err == nil {
		t.Errorf("somebody answers: %v", got)
	}
	if l.connects(t, "8.8.8.8:443") || len(l.zone.asked) > 0 {
		t.Error("a killed resolver leaves something open")
	}
	if st, err := ReadStatus(l.status); err != nil || st.Ended != "" {
		t.Errorf("%+v %v", st, err)
	}
}

// lookUps is how many names TestManyQuestions has looked up; make soak has more.
var lookUps = flag.Int("lookups", 10000, "how many names TestManyQuestions has looked up")

// However many look-ups there are, nothing leaves the container but the questions to
// the resolver that was configured.
func TestManyQuestions(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp", "*.cdn.example.net:443/tcp")
	l.zone.add("www.example.org", 60, "8.8.8.8")
	l.zone.add("a.cdn.example.net", 60, "8.8.4.4")
	answered, refused := 0, 0
	sniffer := l.sniffs(t)
	for i := range *lookUps {
		name := []string{"www.example.org", "no.example.org", "www.example.org.example.com", "x.www.example.org"}[i%4]
		got, err := l.ask(t, "udp", anyResolver, name, typeA)
		must(t, err)
		if addrs(got) == "8.8.8.8" {
			answered++
		} else if got.RCode == dnsmessage.RCodeNameError {
			refused++
		}
	}
	if answered != *lookUps/4 || refused != *lookUps*3/4 {
		t.Errorf("%d answered, %d refused", answered, refused)
	}
	for to, n := range sent(sniffer) {
		if to != farAddr+":53/17" {
			t.Errorf("%d packets to %s left the container", n, to)
		}
	}
	for range 3 * starBurst {
		_, err := l.ask(t, "udp", anyResolver, "a.cdn.example.net", typeA)
		must(t, err)
	}
	time.Sleep(2 * writeEvery)
	st, err := ReadStatus(l.status)
	must(t, err)
	often := false
	for _, r := range st.Refused {
		often = often || r.Reason == "asked too often"
	}
	if !often {
		t.Errorf("%+v", st.Refused)
	}
	t.Log(resident(t, l.pid))
}

func FuzzAnswer(f *testing.F) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("www.example.org."), Type: typeA, Class: dnsmessage.ClassINET}
	seed, err := ask(7, q)
	if err != nil {
		f.Fatal(err)
	}
	seed[2] |= 0x80
	f.Add(seed)
	f.Add([]byte{0, 7, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if asked, answerable, err := parseQuestion(b); err == nil || answerable {
			if out := reply(asked, dnsmessage.RCodeNameError, nil, asked.size); len(out) > ednsSize {
				t.Errorf("%d bytes", len(out))
			}
		}
		got, err := parseAnswer(b, 7, q)
		if err != nil {
			return
		}
		if len(got.records) > maxChain+maxRecords {
			t.Errorf("%d records", len(got.records))
		}
		k := gatekeeper{gates: nil, order: func([]byte) bool { return true }}
		kept, opened, _ := k.pass(nil, got.records, time.Time{})
		if len(opened) > 0 {
			t.Errorf("%v opened without a gate", opened)
		}
		out := reply(question{q: q, id: 7}, got.code, kept, maxAnswer)
		if len(out) > maxAnswer {
			t.Errorf("%d bytes", len(out))
		}
		for _, r := range kept {
			if a, is := address(r); is && a != (netip.Addr{}) {
				t.Errorf("%v is let go", a)
			}
		}
	})
}

// The policy chooses the answer for a name that it does not have.
func TestUnlistedIsRefused(t *testing.T) {
	l := newLab(t, "www.example.org:443/tcp", answersRefused)
	l.zone.add("www.example.org", 60, "8.8.8.8")
	for name, want := range map[string]dnsmessage.RCode{"other.example.org": dnsmessage.RCodeRefused, "www.example.org": dnsmessage.RCodeSuccess} {
		for _, network := range []string{"udp", "tcp"} {
			if got, err := l.ask(t, network, anyResolver, name, typeA); err != nil || got.RCode != want {
				t.Errorf("%s %s: %v %v", network, name, got.Header, err)
			}
		}
	}
	if asked := len(l.zone.asked); asked != 2 {
		t.Errorf("%d questions went to another resolver", asked)
	}
}

package export

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	"github.com/leodido/go-syslog/v4/rfc5424"
)

// messages are what a parser of streams of syslog reads.
type messages struct {
	mu  sync.Mutex
	all []*rfc5424.SyslogMessage
	bad []error
}

func (m *messages) read(conn io.Reader) {
	octetcounting.NewParser(syslog.WithListener(func(r *syslog.Result) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if r.Error != nil {
			m.bad = append(m.bad, r.Error)
			return
		}
		m.all = append(m.all, r.Message.(*rfc5424.SyslogMessage))
	})).Parse(conn)
}

func (m *messages) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.all)
}

func (m *messages) listen(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go m.read(conn)
	}
}

// The page's example: CEF by TLS, ECS by TCP, and CEF on a socket of this host. A
// parser that is not ours reads each line as one message.
func TestSyslog(t *testing.T) {
	p := newPlace(t)
	cert, key := certificate(t, p.dir)
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(t, err)
	secure, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	must(t, err)
	defer secure.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer plain.Close()
	local, err := net.ListenPacket("unixgram", p.dir+"/log")
	must(t, err)
	defer local.Close()
	p.configure(t, swap(t, example(t, "A SIEM by syslog"), "siem.example:6514", secure.Addr().String(), "/etc/hatchdog/siem-ca.pem", cert,
		"127.0.0.1:5140", plain.Addr().String(), "/dev/log", p.dir+"/log"))
	siem, elastic := &messages{}, &messages{}
	go siem.listen(secure)
	go elastic.listen(plain)
	const n = 5 // as many as wait in a datagram socket of any kernel
	p.write(t, n)
	p.once(t)
	waitFor(t, "the messages", func() bool { return siem.count() == n && elastic.count() == n })
	for format, got := range map[string]*messages{"CEF:0|hatchdog|hatchdog|": siem, `{"@timestamp":"`: elastic} {
		if len(got.bad) > 0 {
			t.Error(got.bad)
		}
		for _, m := range got.all {
			if *m.Appname != "hatchdog" || *m.MsgID != "decision" || *m.Priority != 13*8+4 || !strings.HasPrefix(*m.Message, format) || (*m.StructuredData)["meta"]["sequenceId"] == "" {
				t.Errorf("%+v %s", m, *m.Message)
			}
		}
	}
	parser := rfc5424.NewParser()
	for range n {
		buf := make([]byte, 64<<10)
		must(t, local.SetReadDeadline(time.Now().Add(10*time.Second)))
		size, _, err := local.ReadFrom(buf)
		must(t, err)
		if _, err := parser.Parse(buf[:size]); err != nil {
			t.Errorf("%v: %q", err, buf[:size])
		}
	}
}

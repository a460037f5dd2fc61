package firewall

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/host"
)

// sent measures how fast the container sends to the far end, in bytes in a
// second.
func (l *lab) sent(t testing.TB, total int) float64 {
	t.Helper()
	var sink net.Listener
	must(t, host.InNetwork(l.far, func() (err error) {
		sink, err = net.Listen("tcp", "10.200.0.1:9999")
		return err
	}))
	defer sink.Close()
	got := make(chan time.Time)
	go func() {
		c, err := sink.Accept()
		if err == nil {
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
		got <- time.Now()
	}()
	var start time.Time
	must(t, host.InNetwork(l.box, func() error {
		c, err := net.Dial("tcp", "10.200.0.1:9999")
		if err != nil {
			return err
		}
		start = time.Now()
		chunk := make([]byte, 64<<10)
		for n := 0; n < total; n += len(chunk) {
			if _, err := c.Write(chunk); err != nil {
				return err
			}
		}
		return c.Close()
	}))
	return float64(total) / (<-got).Sub(start).Seconds()
}

func TestRate(t *testing.T) {
	l := newLab(t)
	fast, slow := int64(80e6), int64(16e6)
	_, err := Install(Request{FD: l.box, Rate: &fast})
	must(t, err)
	_, err = Install(Request{FD: l.box, Rate: &slow}) // the lower one
	must(t, err)
	_, err = Install(Request{FD: l.box, Rate: &fast}) // does not lift it
	must(t, err)
	if got := l.sent(t, 4<<20); got > 2.6e6 || got < 0.8e6 {
		t.Errorf("%.0f bytes in a second, the limit is 2 000 000", got)
	}
}

func BenchmarkInstall(b *testing.B) {
	l := newLab(b)
	for b.Loop() {
		in, err := Install(Request{FD: l.box, Egress: []egress.Policy{restricted()}, Facts: labFacts()})
		must(b, err)
		b.StopTimer()
		must(b, in.Undo())
		b.StartTimer()
	}
}

// BenchmarkThroughput sends over the veth pair with and without rules, in turns.
func BenchmarkThroughput(b *testing.B) {
	l := newLab(b)
	p := egress.Policy{Default: egress.Allow, Allow: []string{"dns", "10.200.0.1:9999/tcp"}, Deny: []string{"metadata", "link-local", "host", "private"}}
	const total = 256 << 20
	var without, with float64
	for b.Loop() {
		without += l.sent(b, total)
		in, err := Install(Request{FD: l.box, Egress: []egress.Policy{p}, Facts: labFacts()})
		must(b, err)
		with += l.sent(b, total)
		must(b, in.Undo())
	}
	b.ReportMetric(with/without, "with/without")
	b.ReportMetric(with/float64(b.N)/1e6, "MB/s-with")
}

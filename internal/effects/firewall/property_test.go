package firewall

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// The addresses are few, so that entries and packets meet.
var drawn = []string{
	"10.1.2.3", "10.1.2.4", "10.1.9.9", "10.77.0.1", "172.16.5.5", "192.168.1.1", "100.64.1.1", "100.100.100.200",
	"169.254.169.254", "169.254.7.7", "10.200.0.1", "9.9.9.9", "8.8.8.8", "168.63.129.16", "203.0.113.9", "198.18.0.1",
	"fd00:ec2::254", "fd00:1::5", "fd00:99::1", "2001:db8::5", "2606:4700::1", "2a00:1450::8", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
}

func drawAddr(t *rapid.T) netip.Addr {
	return netip.MustParseAddr(rapid.SampledFrom(drawn).Draw(t, "address"))
}

func drawPort(t *rapid.T) uint16 {
	return rapid.SampledFrom([]uint16{1, 22, 53, 80, 443, 8000, 8050, 8100, 65535}).Draw(t, "port")
}

func drawEntry(t *rapid.T) string {
	target := rapid.SampledFrom(egress.Groups()).Draw(t, "group")
	if target == "dns" {
		return target
	}
	v6 := false
	if rapid.Bool().Draw(t, "prefix") {
		a := drawAddr(t)
		v6 = a.Is6()
		p, err := a.Prefix(rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
		if err != nil {
			t.Fatal(err)
		}
		target = p.String()
	}
	proto := rapid.SampledFrom([]string{"", "", "/tcp", "/udp", "/icmp"}).Draw(t, "protocol")
	if proto == "/icmp" || rapid.Bool().Draw(t, "every port") {
		return target + proto
	}
	low, high := drawPort(t), drawPort(t)
	if low > high {
		low, high = high, low
	}
	ports := fmt.Sprint(low)
	if low != high {
		ports += fmt.Sprint("-", high)
	}
	if v6 {
		target = "[" + target + "]"
	}
	return target + ":" + ports + proto
}

func drawPolicy(t *rapid.T) egress.Policy {
	list := func(name string) []string { return rapid.SliceOfN(rapid.Custom(drawEntry), 0, 5).Draw(t, name) }
	return egress.Policy{
		Name:    "drawn",
		Default: rapid.SampledFrom([]egress.Verdict{egress.Allow, egress.Deny}).Draw(t, "default"),
		Allow:   list("allow"), Deny: list("deny"),
	}
}

// The evaluator and the kernel agree on what becomes of a packet.
func TestEvaluatorIsTheKernels(t *testing.T) {
	l := newLab(t)
	packets := 0
	var verdicts [2]int
	rapid.Check(t, func(r *rapid.T) {
		policies := rapid.SliceOfN(rapid.Custom(drawPolicy), 1, 2).Draw(r, "policies")
		in, err := Install(Request{FD: l.box, Egress: policies, Facts: labFacts()})
		if err != nil {
			r.Fatal(err)
		}
		defer func() {
			if err := in.Undo(); err != nil {
				r.Fatal(err)
			}
		}()
		for range 12 {
			p := egress.Packet{Proto: rapid.SampledFrom([]egress.Proto{egress.TCP, egress.UDP, egress.ICMP}).Draw(r, "proto"), Addr: drawAddr(r)}
			if p.Proto != egress.ICMP {
				p.Port = drawPort(r)
			}
			want, err := egress.Decide(p, policies, labFacts())
			if err != nil {
				r.Fatal(err)
			}
			if got := l.reaches(t, p); got != (want.Verdict == egress.Allow) {
				r.Fatalf("%v: the evaluator says %v, by entry %q; it reached the far end: %v", p, want.Verdict, want.Entry, got)
			}
			packets++
			if want.Verdict == egress.Allow {
				verdicts[0]++
			} else {
				verdicts[1]++
			}
		}
	})
	t.Logf("%d packets, %d allowed and %d denied", packets, verdicts[0], verdicts[1])
}

package egress

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func at(proto Proto, addr string, port uint16) Packet {
	return Packet{Proto: proto, Addr: netip.MustParseAddr(addr), Port: port}
}

func TestOrderOfEvaluation(t *testing.T) {
	facts := Facts{Host: prefixes("172.17.0.1/32", "10.99.0.0/24", "fd00::1/128"), Resolvers: []netip.Addr{netip.MustParseAddr("172.17.0.1")}}
	p := Policy{
		Name: "p", Default: Deny,
		Allow: []string{"dns", "0.0.0.0/0:443/tcp", "10.1.0.0/16", "10.2.0.0/16:80/tcp", "internet/icmp", "169.254.169.254:80/tcp", "::/0", "10.3.0.0/16:80/tcp"},
		Deny:  []string{"metadata", "link-local", "host", "10.1.2.0/24", "10.2.0.0/16", "10.1.0.0/16", "10.3.0.0/16:1-1000/tcp"},
	}
	for _, c := range []struct {
		packet  Packet
		verdict Verdict
		entry   string
	}{
		{at(UDP, "172.17.0.1", 53), Allow, "dns"},  // as long, fewer ports
		{at(TCP, "172.17.0.1", 443), Deny, "host"}, // longer than 0.0.0.0/0
		{at(TCP, "1.1.1.1", 443), Allow, "0.0.0.0/0:443/tcp"},
		{at(TCP, "1.1.1.1", 80), Deny, ""},             // the default
		{at(UDP, "1.1.1.1", 443), Deny, ""},            // another protocol
		{at(TCP, "10.1.9.9", 80), Deny, "10.1.0.0/16"}, // a tie: what denies
		{at(TCP, "10.2.9.9", 80), Allow, "10.2.0.0/16:80/tcp"},
		{at(TCP, "10.3.9.9", 80), Allow, "10.3.0.0/16:80/tcp"}, // fewer ports
		{at(TCP, "10.3.9.9", 81), Deny, "10.3.0.0/16:1-1000/tcp"},
		{at(TCP, "10.2.9.9", 81), Deny, "10.2.0.0/16"},
		{at(TCP, "169.254.169.254", 80), Allow, "169.254.169.254:80/tcp"}, // an exception by name
		{at(TCP, "169.254.169.254", 443), Deny, "metadata"},               // 0.0.0.0/0 is none
		{at(TCP, "169.254.1.1", 443), Deny, "link-local"},
		{at(ICMP, "1.1.1.1", 0), Allow, "internet/icmp"},
		{at(ICMP, "192.168.1.1", 0), Deny, ""},
		{at(TCP, "fd00::1", 22), Deny, "host"},
		{at(TCP, "fd00::2", 22), Allow, "::/0"},
		{at(TCP, "64:ff9b::a9fe:a9fe", 80), Deny, "metadata"}, // through a translator
		{at(TCP, "127.0.0.1", 1), Allow, ""},
	} {
		d, err := Decide(c.packet, []Policy{p}, facts)
		if err != nil || d.Verdict != c.verdict || d.Entry != c.entry {
			t.Errorf("%v: %+v %v, want %s by %q", c.packet, d, err, c.verdict, c.entry)
		}
	}
}

func TestTrivialPoliciesAreSkipped(t *testing.T) {
	d, err := Decide(at(TCP, "169.254.169.254", 80), []Policy{{Default: Allow}}, Facts{})
	if err != nil || d.Verdict != Allow || d.Reason == "" {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := Decide(at(TCP, "1.1.1.1", 80), []Policy{{Default: "maybe", Deny: []string{"dns"}}}, Facts{}); err == nil {
		t.Error("a default that is none was taken")
	}
}

// No group's address is of the internet, and no metadata address is reached
// where the group is denied.
func TestGroupsDoNotLeakIntoTheInternet(t *testing.T) {
	for _, m := range Metadata() {
		if m.Source == "" || m.Cloud == "" {
			t.Errorf("%v has no source", m.Addr)
		}
		for _, port := range []uint16{53, 80, 443} {
			d, err := Decide(Packet{Proto: TCP, Addr: m.Addr, Port: port}, []Policy{{Default: Deny, Allow: []string{"internet"}}}, Facts{})
			if err != nil || d.Verdict != Deny {
				t.Errorf("%v is in the group internet: %+v %v", m.Addr, d, err)
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		nets := append(append(private(), linkLocal()...), metadataPrefixes()...)
		n := rapid.SampledFrom(nets).Draw(r, "net")
		raw := n.Addr().AsSlice()
		for i := n.Bits(); i < len(raw)*8; i++ {
			if rapid.Bool().Draw(r, "bit") {
				raw[i/8] |= 1 << (7 - i%8)
			}
		}
		a, _ := netip.AddrFromSlice(raw)
		if contains(notInternet(), a) == false {
			r.Fatalf("%v is in the group internet", a)
		}
	})
}

// Two policies let through what both let through.
func TestPoliciesTogetherNeverWiden(t *testing.T) {
	entry := rapid.SampledFrom([]string{"dns", "host", "private", "internet", "10.0.0.0/8:80/tcp", "10.1.0.0/16", "metadata", "0.0.0.0/0", "::/0"})
	policy := rapid.Custom(func(t *rapid.T) Policy {
		return Policy{
			Default: rapid.SampledFrom([]Verdict{Allow, Deny}).Draw(t, "default"),
			Allow:   rapid.SliceOfN(entry, 0, 4).Draw(t, "allow"), Deny: rapid.SliceOfN(entry, 0, 4).Draw(t, "deny"),
		}
	})
	rapid.Check(t, func(r *rapid.T) {
		a, b := policy.Draw(r, "a"), policy.Draw(r, "b")
		p := at(TCP, rapid.SampledFrom([]string{"10.1.2.3", "10.9.9.9", "8.8.8.8", "169.254.169.254", "fd00::1"}).Draw(r, "to"), 80)
		var verdicts [3]Verdict
		for i, all := range [][]Policy{{a}, {b}, {a, b}} {
			d, err := Decide(p, all, Facts{})
			if err != nil {
				r.Fatal(err)
			}
			verdicts[i] = d.Verdict
		}
		if (verdicts[2] == Allow) != (verdicts[0] == Allow && verdicts[1] == Allow) {
			r.Fatalf("%v", verdicts)
		}
	})
}

// The documentation lists the metadata addresses as they are.
func TestMetadataIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/egress.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range Metadata() {
		if row := fmt.Sprintf("| %s | %s | %s |\n", m.Addr, m.Cloud, m.Source); !strings.Contains(string(page), row) {
			t.Errorf("docs/egress.md misses %q", row)
		}
	}
}

package egress

import (
	"errors"
	"net/netip"
	"testing"
)

func TestNames(t *testing.T) {
	p := Policy{Default: Deny, Allow: []string{
		"registry.npmjs.org:443/tcp", "*.example.org:443/tcp", "db.internal:5432 private", "10.0.0.0/8:80/tcp",
	}, Deny: []string{"metadata", "9.9.9.9"}}
	f := Facts{Host: prefixes("198.51.7.7/32", "11.0.0.1/32")}
	for _, c := range []struct {
		name, addr string
		proto      Proto
		port       uint16
		want       Verdict
	}{
		{"registry.npmjs.org", "8.8.8.8", TCP, 443, Allow},
		{"registry.npmjs.org", "8.8.8.8", TCP, 80, Deny},
		{"registry.npmjs.org", "8.8.8.8", UDP, 443, Deny},
		{"", "8.8.8.8", TCP, 443, Deny},
		{"a.example.org", "2606:4700::1", TCP, 443, Allow},
		{"a.b.example.org", "2606:4700::1", TCP, 443, Deny},
		{"example.org", "2606:4700::1", TCP, 443, Deny},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.org", "8.8.8.8", TCP, 443, Deny},
		{"db.internal", "10.1.1.1", UDP, 5432, Allow},
		{"db.internal", "11.0.0.1", TCP, 5432, Allow},
		{"db.internal", "169.254.169.254", TCP, 5432, Deny},
		{"db.internal", "127.0.0.1", ICMP, 0, Allow}, // loopback is always open
		{"db.internal", "224.0.0.1", UDP, 5432, Deny},
		{"registry.npmjs.org", "10.1.1.1", TCP, 443, Deny},
		{"registry.npmjs.org", "11.0.0.1", TCP, 443, Deny},
		{"registry.npmjs.org", "fe80::1", TCP, 443, Deny},
		{"registry.npmjs.org", "64:ff9b::a00:1", TCP, 443, Deny},
		{"registry.npmjs.org", "10.1.1.1", TCP, 80, Allow},
	} {
		d, err := Decide(Packet{c.proto, netip.MustParseAddr(c.addr), c.port, c.name}, []Policy{p}, f)
		if err != nil || d.Verdict != c.want {
			t.Errorf("%+v: %+v %v", c, d, err)
		}
	}
	for _, bad := range []struct {
		p    Policy
		want error
	}{
		{Policy{Default: Allow, Allow: []string{"example.org:443"}}, ErrNoDefault},
		{Policy{Default: Deny, Deny: []string{"example.org:443"}}, ErrNameAllow},
	} {
		if _, err := Compile(bad.p, f); !errors.Is(err, bad.want) {
			t.Errorf("%+v: %v", bad.p, err)
		}
	}
}

// No gate opens what is never an address to reach, and none that is not private
// what is inside.
func TestNoGateOpens(t *testing.T) {
	for _, m := range Metadata() {
		for _, private := range []bool{false, true} {
			if (Gate{Private: private}).Opens(m.Addr, Facts{}) {
				t.Errorf("%v is opened", m.Addr)
			}
		}
	}
	for _, p := range notInternet() {
		if (Gate{}).Opens(p.Addr(), Facts{}) {
			t.Errorf("%v is opened", p)
		}
	}
}

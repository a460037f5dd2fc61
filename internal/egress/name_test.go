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

// Whatever form an address has that is inside, a name does not stand for it but where
// it may be private; some it stands for in no case.
func TestRebinding(t *testing.T) {
	f := Facts{Host: prefixes("11.0.0.1/32", "2600:db9::1/128", "203.0.114.255/32")}
	for addr, opened := range map[string]struct{ public, private bool }{
		"8.8.8.8":              {true, true},
		"2606:4700::1":         {true, true},
		"10.0.0.1":             {false, true},
		"172.16.0.1":           {false, true},
		"192.168.0.1":          {false, true},
		"100.64.0.1":           {false, true}, // CGNAT
		"100.127.255.254":      {false, true},
		"198.18.0.1":           {false, true},
		"192.0.0.1":            {false, true},
		"fd00::1":              {false, true},
		"11.0.0.1":             {false, true}, // of the host, on whatever interface
		"2600:db9::1":          {false, true},
		"203.0.114.255":        {false, true}, // the broadcast address of one of its networks
		"64:ff9b::8.8.8.8":     {false, true}, // NAT64
		"64:ff9b::10.0.0.1":    {false, true},
		"64:ff9b::127.0.0.1":   {},
		"64:ff9b::169.254.1.1": {},
		"64:ff9b::224.0.0.1":   {},
		"64:ff9b::0.0.0.0":     {},
		"64:ff9b:1::8.8.8.8":   {},
		"2002:808:808::1":      {}, // 6to4
		"2002:a00:1::1":        {},
		"2002:7f00:1::1":       {},
		"2001:0:808:808::1":    {}, // Teredo
		"::ffff:8.8.8.8":       {}, // IPv4-mapped
		"::ffff:10.0.0.1":      {},
		"::ffff:0:10.0.0.1":    {}, // IPv4-translated
		"::10.0.0.1":           {}, // IPv4-compatible
		"::":                   {},
		"::1":                  {},
		"0.0.0.0":              {},
		"0.1.2.3":              {},
		"127.0.0.1":            {},
		"127.0.0.11":           {},
		"127.255.255.254":      {},
		"169.254.0.1":          {},
		"169.254.169.254":      {},
		"fe80::1":              {},
		"ff02::1":              {},
		"ff0e::1":              {},
		"224.0.0.1":            {},
		"239.255.255.250":      {},
		"240.0.0.1":            {},
		"255.255.255.255":      {},
	} {
		a := netip.MustParseAddr(addr)
		if got := (Gate{}).Opens(a, f); got != opened.public {
			t.Errorf("%s: opened %v", addr, got)
		}
		if got := (Gate{Private: true}).Opens(a, f); got != opened.private {
			t.Errorf("%s, where it may be private: opened %v", addr, got)
		}
	}
}

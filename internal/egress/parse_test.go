package egress

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Entry{
		"10.0.0.0/8":               {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		"10.0.0.0/8:5432/tcp":      {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Proto: TCP, Ports: Ports{5432, 5432}},
		"10.1.2.3":                 {Prefix: netip.MustParsePrefix("10.1.2.3/32")},
		"10.1.2.3:8000-8100":       {Prefix: netip.MustParsePrefix("10.1.2.3/32"), Ports: Ports{8000, 8100}},
		"10.1.2.3/icmp":            {Prefix: netip.MustParsePrefix("10.1.2.3/32"), Proto: ICMP},
		"2001:db8::/32":            {Prefix: netip.MustParsePrefix("2001:db8::/32")},
		"2001:db8::1/udp":          {Prefix: netip.MustParsePrefix("2001:db8::1/128"), Proto: UDP},
		"[2001:db8::/32]:443/tcp":  {Prefix: netip.MustParsePrefix("2001:db8::/32"), Proto: TCP, Ports: Ports{443, 443}},
		"[2001:db8::1]:53":         {Prefix: netip.MustParsePrefix("2001:db8::1/128"), Ports: Ports{53, 53}},
		"0.0.0.0/0":                {Prefix: netip.MustParsePrefix("0.0.0.0/0")},
		"metadata":                 {Group: "metadata"},
		"internet:443/tcp":         {Group: "internet", Proto: TCP, Ports: Ports{443, 443}},
		"private:1-65535/udp":      {Group: "private", Proto: UDP, Ports: Ports{1, 65535}},
		"dns":                      {Group: "dns"},
		"link-local/icmp":          {Group: "link-local", Proto: ICMP},
		"host:80":                  {Group: "host", Ports: Ports{80, 80}},
		"255.255.255.255/32:1/udp": {Prefix: netip.MustParsePrefix("255.255.255.255/32"), Proto: UDP, Ports: Ports{1, 1}},
	} {
		want.Text = text
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for text, want := range map[string]struct {
		err  error
		near string
	}{
		"":                        {ErrTarget, ""},
		"example.org":             {ErrTarget, ""},
		"metdata":                 {ErrTarget, "metadata"},
		"10.0.0.1/8":              {ErrBits, "10.0.0.0/8"},
		"10.0.0.0/33":             {ErrTarget, ""},
		"010.0.0.1":               {ErrTarget, ""},
		"fe80::1%eth0":            {ErrTarget, ""},
		"::ffff:10.0.0.1":         {ErrTarget, ""},
		"::ffff:10.0.0.0/104":     {ErrTarget, ""},
		"10.0.0.1:0":              {ErrPorts, ""},
		"10.0.0.1:70000":          {ErrPorts, ""},
		"10.0.0.1:90-80":          {ErrPorts, ""},
		"10.0.0.1:http":           {ErrPorts, ""},
		"10.0.0.1:+80":            {ErrPorts, ""},
		"10.0.0.1:80/icmp":        {ErrPorts, ""},
		"10.0.0.1:80/tpc":         {ErrProto, ""},
		"10.0.0.1/icmpv6":         {ErrProto, "icmp"},
		"10.0.0.1/":               {ErrShape, ""},
		"10.0.0.1:":               {ErrShape, ""},
		"[2001:db8::1":            {ErrShape, ""},
		"[2001:db8::1]443":        {ErrShape, ""},
		"[10.0.0.1]:80":           {ErrShape, ""},
		"dns:53":                  {ErrShape, "dns"},
		"2001:db8::1:443/tcp/udp": {ErrTarget, ""},
	} {
		_, err := Parse(text)
		var bad *ParseError
		if !errors.As(err, &bad) || !errors.Is(err, want.err) || bad.Near != want.near {
			t.Errorf("%q: %v, want %v (%q)", text, err, want.err, want.near)
		}
	}
}

// Whatever is read is read again as the same, and compiles.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"10.0.0.0/8:1-2/tcp", "[2001:db8::/32]:443/tcp", "dns", "::/0", "internet/icmp"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		if e.Group == "" && (!e.Prefix.IsValid() || e.Prefix.Masked() != e.Prefix) || e.Ports.Low > e.Ports.High || strings.ContainsAny(text, " \n") {
			t.Errorf("%q: %+v", text, e)
		}
		c, err := Compile(Policy{Default: Deny, Allow: []string{text}}, Facts{Host: prefixes("10.0.0.1/32")})
		if err != nil || !slices.IsSortedFunc(c.Rules, order) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

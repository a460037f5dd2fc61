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
		"10.0.0.0/8":                  {Prefix: netip.MustParsePrefix("10.0.0.0/8")},
		"10.0.0.0/8:5432/tcp":         {Prefix: netip.MustParsePrefix("10.0.0.0/8"), Proto: TCP, Ports: Ports{5432, 5432}},
		"10.1.2.3":                    {Prefix: netip.MustParsePrefix("10.1.2.3/32")},
		"10.1.2.3:8000-8100":          {Prefix: netip.MustParsePrefix("10.1.2.3/32"), Ports: Ports{8000, 8100}},
		"10.1.2.3/icmp":               {Prefix: netip.MustParsePrefix("10.1.2.3/32"), Proto: ICMP},
		"2001:db8::/32":               {Prefix: netip.MustParsePrefix("2001:db8::/32")},
		"2001:db8::1/udp":             {Prefix: netip.MustParsePrefix("2001:db8::1/128"), Proto: UDP},
		"[2001:db8::/32]:443/tcp":     {Prefix: netip.MustParsePrefix("2001:db8::/32"), Proto: TCP, Ports: Ports{443, 443}},
		"[2001:db8::1]:53":            {Prefix: netip.MustParsePrefix("2001:db8::1/128"), Ports: Ports{53, 53}},
		"0.0.0.0/0":                   {Prefix: netip.MustParsePrefix("0.0.0.0/0")},
		"metadata":                    {Group: "metadata"},
		"internet:443/tcp":            {Group: "internet", Proto: TCP, Ports: Ports{443, 443}},
		"private:1-65535/udp":         {Group: "private", Proto: UDP, Ports: Ports{1, 65535}},
		"dns":                         {Group: "dns"},
		"link-local/icmp":             {Group: "link-local", Proto: ICMP},
		"host:80":                     {Group: "host", Ports: Ports{80, 80}},
		"registry.npmjs.org:443/tcp":  {Host: "registry.npmjs.org", Proto: TCP, Ports: Ports{443, 443}},
		"*.GitHubusercontent.com:443": {Host: "*.githubusercontent.com", Ports: Ports{443, 443}},
		"db.internal:5432 private":    {Host: "db.internal", Ports: Ports{5432, 5432}, Private: true},
		"db:5432/tcp private":         {Host: "db", Proto: TCP, Ports: Ports{5432, 5432}, Private: true},
		"metrics.example.org.:80":     {Host: "metrics.example.org", Ports: Ports{80, 80}},
		"xn--bcher-kva.example:80":    {Host: "xn--bcher-kva.example", Ports: Ports{80, 80}},
		"_srv.example.org/icmp":       {Host: "_srv.example.org", Proto: ICMP},
		"255.255.255.255/32:1/udp":    {Prefix: netip.MustParsePrefix("255.255.255.255/32"), Proto: UDP, Ports: Ports{1, 1}},
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
		"example.org":             {ErrNamePorts, ""},
		"example.org/tcp":         {ErrNamePorts, ""},
		"bücher.example:80":       {ErrASCII, ""},
		"*.org:443":               {ErrWildcard, ""},
		"*:443":                   {ErrWildcard, ""},
		"a.*.org:443":             {ErrWildcard, ""},
		"*a.example.org:443":      {ErrWildcard, ""},
		"-a.example.org:443":      {ErrName, ""},
		"a..example.org:443":      {ErrName, ""},
		"a b.example.org:443":     {ErrName, ""},
		".:443":                   {ErrTarget, ""},
		"example.org:443 Private": {ErrPorts, ""},
		"10.0.0.1:80 private":     {ErrPrivate, ""},
		"internet:80 private":     {ErrPrivate, ""},
		"metdata:80":              {ErrTarget, "metadata"},
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
	for _, seed := range []string{"10.0.0.0/8:1-2/tcp", "[2001:db8::/32]:443/tcp", "dns", "::/0", "internet/icmp", "*.example.org:443/tcp private"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		text, _ = strings.CutSuffix(text, PrivateWord)
		if e.Group == "" && e.Host == "" && (!e.Prefix.IsValid() || e.Prefix.Masked() != e.Prefix) || e.Ports.Low > e.Ports.High || strings.ContainsAny(text, " \n") {
			t.Errorf("%q: %+v", text, e)
		}
		c, err := Compile(Policy{Default: Deny, Allow: []string{e.Text}}, Facts{Host: prefixes("10.0.0.1/32")})
		if err != nil || !slices.IsSortedFunc(c.Rules, order) {
			t.Errorf("%q: %v", text, err)
		}
	})
}

package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/sandbox"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
)

func TestLacksWorstFirst(t *testing.T) {
	noted := func(to string, port uint16, n uint64) firewall.Noted {
		return firewall.Noted{Addr: netip.MustParseAddr(to), Port: port, Proto: "tcp", Packets: n}
	}
	out := run.Outcome{
		Noted:   []firewall.Noted{noted("198.51.100.7", 25, 3), noted("93.184.216.34", 8080, 9), noted("10.0.0.9", 5432, 1), noted("fd00:ec2::254", 80, 1), noted("169.254.169.254", 80, 2)},
		Counted: inside.Counted{PidsHits: 4},
		Names: resolver.Status{
			Names: []resolver.Name{{Name: "shop.example.org", Addrs: []netip.Addr{netip.MustParseAddr("93.184.216.34")}}},
			Refused: []resolver.Refused{
				{Name: "a.example.com", Reason: resolver.NotListed, Times: 1},
				{Name: "b\x1b[2J.example.com", Reason: "asked too often", Times: 7},
			},
		},
	}
	r := &run.Request{Box: sandbox.Box{ID: "x", Args: []string{"sh"}, Limits: sandbox.Defaults()}}
	var got []string
	for _, l := range lacks(r, out) {
		got = append(got, l.Kind+" "+l.Flag)
	}
	want := []string{
		"metadata ", "metadata ", "host --allow 10.0.0.9:5432/tcp", "packets --allow shop.example.org:8080/tcp", "packets --allow 198.51.100.7:25/tcp",
		"name ", "name --allow a.example.com:PORT", "pids --pids 512",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	s := newReport(r, out).sarif("sh")
	if len(s.Runs[0].Results) != len(want) || len(s.Runs[0].Tool.Driver.Rules) != 5 {
		t.Errorf("%+v", s)
	}
	for _, one := range s.Runs[0].Results {
		if strings.ContainsRune(one.Message.Text, 0x1b) {
			t.Errorf("an escape of the command's: %q", one.Message.Text)
		}
	}
}

// People copy flags into their shells, and the command chooses what it looks up.
func TestFlagsNameNothingThatTheCommandMadeUp(t *testing.T) {
	for _, name := range []string{"$(id).example.com", "a;id.example.com", "a b.example.com", "a.example.com\nhatchctl: x", "*.example.com", "a\x1b[2J.example.com", "a.example.com:1/udp", "\u202e.example.com", ""} {
		addr := netip.MustParseAddr("93.184.216.34")
		out := run.Outcome{
			Noted: []firewall.Noted{{Addr: addr, Port: 80, Proto: "tcp", Packets: 1}},
			Names: resolver.Status{
				Names:   []resolver.Name{{Name: name, Addrs: []netip.Addr{addr}}},
				Refused: []resolver.Refused{{Name: name, Reason: resolver.NotListed, Times: 1}},
			},
		}
		r := &run.Request{Box: sandbox.Box{ID: "x", Args: []string{"sh"}, Limits: sandbox.Defaults()}}
		var flags []string
		for _, l := range lacks(r, out) {
			flags = append(flags, l.Flag)
		}
		if want := []string{"--allow 93.184.216.34:80/tcp", ""}; !slices.Equal(flags, want) {
			t.Errorf("%q: %q", name, flags)
		}
		var text strings.Builder
		newReport(r, out).text(&text)
		if strings.Count(text.String(), "\n") != 4 || strings.ContainsAny(text.String(), "\x1b\u202e") {
			t.Errorf("%q: %q", name, text.String())
		}
	}
}

func TestAllowed(t *testing.T) {
	got, err := allowed([]string{"registries", "Shop.example.org", "db.internal:5432 private", "x.example.org private", "192.0.2.7:443/tcp", "shop.example.org:80"}, []string{"r.example.org:443/tcp"})
	want := []string{"r.example.org:443/tcp", "Shop.example.org:443/tcp", "db.internal:5432 private", "x.example.org:443/tcp private", "192.0.2.7:443/tcp", "shop.example.org:80"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q %v", got, err)
	}
	for _, bad := range []string{"internet:443", "dns", "metadata", "registries", "*", "*.org", "x.example.org/tcp", "db:x", "", "10.0.0.1/8", "a..b", "192.0.2.7 private", "x.example.org:443\nallow: y"} {
		if got, err := allowed([]string{bad}, nil); err == nil {
			t.Errorf("%q is %q", bad, got)
		}
	}
}

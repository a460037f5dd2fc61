package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/why"
)

// Without a port a connection to the web is meant.
const webPort = 443

var errNoHost = errors.New("neither a host nor a port")

// hostTarget is HOST[:PORT][/PROTOCOL].
type hostTarget struct {
	host  string
	port  uint16
	proto egress.Proto
}

func parseHost(text string) (hostTarget, error) {
	t := hostTarget{proto: egress.TCP}
	rest, proto, found := strings.Cut(text, "/")
	if found {
		t.proto = egress.Proto(proto)
	}
	switch t.proto {
	case egress.TCP, egress.UDP, egress.ICMP:
	default:
		return t, fmt.Errorf("%q is no protocol: tcp, udp or icmp", proto)
	}
	host, port, err := splitHost(rest)
	if err != nil {
		return t, err
	}
	if host == "" && port == "" {
		return t, errNoHost
	}
	t.host = host
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return t, fmt.Errorf("%q is no port", port)
		}
		t.port = uint16(n)
	} else if t.proto != egress.ICMP {
		t.port = webPort
	}
	return t, nil
}

// splitHost: an address of IPv6 with a port is in brackets; what is no address is a
// name, or nothing before a port to listen on.
func splitHost(text string) (host, port string, err error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Unmap().WithZone("").String(), "", nil
	}
	host = text
	if inner, after, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok && strings.HasPrefix(text, "[") {
		port, behind := strings.CutPrefix(after, ":")
		if behind == (port == "") {
			return "", "", fmt.Errorf("%q is no port", after)
		}
		addr, err := netip.ParseAddr(inner)
		if err != nil {
			return "", "", fmt.Errorf("%q is no address", inner)
		}
		return addr.Unmap().WithZone("").String(), port, nil
	}
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		if host, port = text[:i], text[i+1:]; port == "" {
			return "", "", errors.New("no port is behind the colon")
		}
	}
	if host == "" && port == "" || strings.ContainsAny(host, ":[]/") || strings.IndexFunc(host, func(r rune) bool { return r <= ' ' || !unicode.IsPrint(r) }) >= 0 {
		return "", "", fmt.Errorf("%q is no name of a host", host)
	}
	return host, port, nil
}

func (s *subject) askHost(cmd *cobra.Command, word string, w whyOptions) ([]why.Finding, error) {
	t, err := parseHost(word)
	if err != nil {
		return nil, usageError(cmd, "%s: %v", word, err)
	}
	if s.c.Process == nil {
		return s.hostOfGone(t)
	}
	facts, err := firewall.Resolve(s.net, "")
	if err != nil {
		return nil, err
	}
	servers, search := s.resolvers()
	facts.Resolvers = append(facts.Resolvers, notLoopback(servers)...)
	if t.host == "" {
		first, err := inside.PrivilegedPorts(s.net)
		if err != nil {
			return nil, err
		}
		return s.one(s.c.Bind(t.port, t.proto, inside.Listening(s.net, t.proto), first))
	}
	addrs, failed := s.addresses(t.host, servers, search, facts)
	if failed != nil {
		return s.one(*failed)
	}
	dropped, err := s.noted()
	if err != nil {
		return nil, err
	}
	var found []why.Finding
	const asked = 16
	for _, a := range addrs[:min(len(addrs), asked)] {
		f, err := s.reach(egress.Packet{Proto: t.proto, Addr: a, Port: t.port}, facts, dropped, w.try)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 || found[0].Verdict == f.Verdict {
			found = append(found, f)
		}
	}
	const most = 4
	return found[:min(len(found), most)], nil
}

func (s *subject) noted() ([]firewall.Noted, error) {
	if !s.ruled() || s.net < 0 {
		return nil, nil
	}
	return firewall.ReadNoted(s.net)
}

func (s *subject) reach(p egress.Packet, facts egress.Facts, dropped []firewall.Noted, try bool) (why.Finding, error) {
	r := why.Reach{Packet: p, Facts: facts, Ruled: s.ruled()}
	var err error
	if r.Ruled {
		if r.Decision, err = egress.Decide(p, s.c.Profile.EgressPolicies(), facts); err != nil {
			return why.Finding{}, err
		}
		r.Dropped, r.Ago = droppedTo(dropped, p)
	}
	r.Own, r.NoRoute = inside.Route(s.net, p.Addr)
	if p.Proto != egress.ICMP {
		r.Listen = inside.Listening(s.net, p.Proto)
	}
	if try && p.Proto == egress.TCP && r.Decision.Verdict != egress.Deny && r.NoRoute == nil {
		r.Tried, r.TryErr = true, inside.Connect(s.net, netip.AddrPortFrom(p.Addr, p.Port))
		if after, err := s.noted(); err == nil { // the rules reset what they drop
			r.Dropped, r.Ago = droppedTo(after, p)
		}
	}
	return s.c.Reach(r), nil
}

// droppedTo is how many packets to one destination the rules dropped in the last hour,
// and how long ago the last was.
func droppedTo(dropped []firewall.Noted, p egress.Packet) (packets uint64, ago time.Duration) {
	for _, n := range dropped {
		if !n.Inbound && n.Addr.Unmap() == p.Addr && n.Port == p.Port && n.Proto == string(p.Proto) {
			packets, ago = n.Packets, n.Ago
		}
	}
	return packets, ago
}

// droppedPackets are the destinations of the last hour, or of the last hour
// before the container was deleted.
func (s *subject) droppedPackets() ([]why.Finding, error) {
	all, facts := []firewall.Noted(nil), egress.Facts{}
	var err error
	if s.entry == nil {
		all, err = s.o.droppedOf(s.d)
	} else if all, err = s.noted(); err == nil && len(all) > 0 {
		facts, err = firewall.Resolve(s.net, "")
	}
	if err != nil {
		return nil, err
	}
	var found []why.Finding
	const most = 8
	for _, n := range all {
		if n.Inbound || len(found) == most {
			continue
		}
		r := why.Reach{
			Packet: egress.Packet{Proto: egress.Proto(n.Proto), Addr: n.Addr.Unmap(), Port: n.Port}, Facts: facts, Ruled: true, Dropped: n.Packets, Ago: n.Ago,
		}
		if s.c.Profile != nil {
			if r.Decision, err = egress.Decide(r.Packet, s.c.Profile.EgressPolicies(), facts); err != nil {
				return found, err
			}
		}
		found = append(found, s.c.Reach(r))
	}
	if len(all) > most {
		s.notes = append(s.notes, fmt.Sprintf("%d destinations were dropped; 'hatchctl net' shows them all", len(all)))
	}
	return found, nil
}

func (s *subject) hostOfGone(t hostTarget) ([]why.Finding, error) {
	all, err := s.o.droppedOf(s.d)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if !n.Inbound && n.Addr.Unmap().String() == t.host && n.Port == t.port && n.Proto == string(t.proto) {
			return s.one(s.c.Reach(why.Reach{Packet: egress.Packet{Proto: t.proto, Addr: n.Addr.Unmap(), Port: n.Port}, Ruled: true, Dropped: n.Packets, Ago: n.Ago}))
		}
	}
	what := "reach " + t.host
	if t.host == "" {
		what = fmt.Sprintf("listen on port %d/%s", t.port, t.proto)
	}
	return s.one(why.Finding{
		What: what, Verdict: why.Undetermined, Why: "it does not run, and no packet to that address was dropped in its last hour, as far as the audit log has it",
	})
}

// droppedOf reads from the audit log what was dropped in a container that is
// gone.
func (o *options) droppedOf(d decision.Decision) ([]firewall.Noted, error) {
	var last []firewall.Noted
	err := o.eachDropped(func(id, root string, noted []firewall.Noted) {
		if id == d.ID && root == d.Root {
			last = noted
		}
	})
	return last, err
}

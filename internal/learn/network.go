package learn

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/policy"
)

const dnsPort = 53

// network opens what was reached, by the names that it was asked for by, and the
// ports that were listened on.
func (p *Profile) network(d *Data, ceiling *policy.Profile) error {
	p.Network = !d.SharedNetwork
	for _, key := range sorted(d.Reaches) {
		to, proto, ok := parseAddress(key)
		line := Line{Value: key, Seen: d.Reaches[key]}
		if !ok || to.Addr().IsLoopback() && to.Port() != dnsPort {
			continue
		}
		if to.Port() == dnsPort {
			line.Value = "dns"
			p.Egress = adding(p.Egress, line)
		}
		if to.Addr().IsLoopback() {
			continue
		}
		line.Value = key
		verdict, err := p.admits(d, ceiling, to, proto)
		switch {
		case err != nil:
			return err
		case !verdict:
			line.Note = "builtin/" + base + " does not let it be reached"
			p.Review = append(p.Review, line)
		default:
			for _, entry := range entries(d, to, proto) {
				line.Value = entry
				p.Egress = adding(p.Egress, line)
			}
		}
	}
	for _, key := range sorted(d.Listens) {
		at, proto, ok := parseAddress(key)
		if !ok || at.Addr().IsLoopback() {
			continue
		}
		if at.Addr().Is4() || at.Addr().IsUnspecified() {
			p.Ingress = adding(p.Ingress, Line{Value: fmt.Sprintf("0.0.0.0/0:%d/%s", at.Port(), proto), Seen: d.Listens[key]})
		}
		if at.Addr().Is6() {
			p.Ingress = adding(p.Ingress, Line{Value: fmt.Sprintf("[::/0]:%d/%s", at.Port(), proto), Seen: d.Listens[key]})
		}
	}
	return nil
}

// admits says whether the profile lets an address be reached that this one extends.
func (p *Profile) admits(d *Data, ceiling *policy.Profile, to netip.AddrPort, proto egress.Proto) (bool, error) {
	facts := egress.Facts{}
	for a := range d.HostAddresses {
		if addr, err := netip.ParseAddr(a); err == nil && addr.Zone() == "" {
			facts.Host = append(facts.Host, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
		}
	}
	got, err := egress.Decide(egress.Packet{Proto: proto, Addr: to.Addr(), Port: to.Port()}, ceiling.EgressPolicies(), facts)
	return got.Verdict == egress.Allow, err
}

// entries open an address by each name that it was asked for by, or by itself.
func entries(d *Data, to netip.AddrPort, proto egress.Proto) []string {
	var all []string
	for _, name := range d.Names[to.Addr().String()] {
		text := fmt.Sprintf("%s:%d/%s", strings.ToLower(strings.TrimSuffix(name, ".")), to.Port(), proto)
		if to.Addr().IsPrivate() {
			text += egress.PrivateWord
		}
		if e, err := egress.Parse(text); err == nil && e.Host != "" && !strings.Contains(e.Host, "*") {
			all = append(all, text)
		}
	}
	if len(all) > 0 {
		return all
	}
	return []string{addressText(to) + "/" + string(proto)}
}

func addressText(a netip.AddrPort) string {
	if a.Addr().Is6() {
		return fmt.Sprintf("[%s]:%d", a.Addr(), a.Port())
	}
	return a.String()
}

// parseAddress reads ADDRESS:PORT/PROTOCOL.
func parseAddress(key string) (netip.AddrPort, egress.Proto, bool) {
	text, proto, _ := strings.Cut(key, "/")
	a, err := netip.ParseAddrPort(text)
	ok := err == nil && a.Port() != 0 && a.Addr().Zone() == "" && slices.Contains([]string{"tcp", "udp"}, proto)
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), egress.Proto(proto), ok
}

// adding joins lines of one value.
func adding(all []Line, l Line) []Line {
	if i := slices.IndexFunc(all, func(o Line) bool { return o.Value == l.Value }); i >= 0 {
		all[i].Seen = all[i].Seen.with(l.Seen)
		return all
	}
	return append(all, l)
}

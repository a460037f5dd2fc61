package learn

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// Denied is what another recording has that the profile would deny.
func (p *Profile) Denied(d *Data, w Wish) ([]Line, error) {
	table, err := tables.Load(p.Table)
	if err != nil {
		return nil, err
	}
	wish := seccomp.Wish{Native: w.Native, Capabilities: named(p.Capabilities), Allow: named(p.Allow), Deny: p.Deny}
	again := &Profile{}
	all := again.judge(d, table.Resolve(wish), nil)
	for i := range all {
		all[i].Value = "the call " + all[i].Value
	}
	for _, name := range sorted(d.Capabilities) {
		if !slices.Contains(named(p.Capabilities), name) {
			all = append(all, Line{Value: "the capability " + name, Seen: d.Capabilities[name]})
		}
	}
	all = append(all, p.unwritable(d)...)
	reached, err := p.unreachable(d)
	all = append(all, reached...)
	for _, peak := range []struct {
		what       string
		seen, most int64
	}{{"processes", d.Pids, p.Pids}, {"bytes of memory", d.Memory, p.Memory}, {"open files", d.Files, p.Files}} {
		if peak.most > 0 && peak.seen > peak.most {
			all = append(all, Line{Value: fmt.Sprintf("%d %s", peak.seen, peak.what), Note: fmt.Sprintf("at most %d", peak.most)})
		}
	}
	return all, err
}

func (p *Profile) unwritable(d *Data) (all []Line) {
	if p.ReadOnly {
		for _, dir := range sorted(d.Writes) {
			if !slices.ContainsFunc(p.Tmpfs, func(l Line) bool { return dir == l.Value || strings.HasPrefix(dir, l.Value+"/") }) {
				all = append(all, Line{Value: "writing in " + placeOf(dir), Seen: d.Writes[dir]})
			}
		}
	}
	for _, at := range p.Closed {
		if d.Volumes[at].Count > 0 {
			all = append(all, Line{Value: "writing in " + quoted(at), Seen: d.Volumes[at]})
		}
	}
	return all
}

func (p *Profile) unreachable(d *Data) (all []Line, err error) {
	if !p.Network {
		return nil, nil
	}
	for _, way := range []struct {
		table Table
		rules egress.Policy
		what  string
	}{
		{d.Reaches, egress.Policy{Name: p.Name, Default: egress.Deny, Allow: named(p.Egress)}, "reaching "},
		{d.Listens, egress.Policy{Name: p.Name, Default: egress.Deny, Allow: named(p.Ingress)}, "listening on "},
	} {
		for _, key := range sorted(way.table) {
			to, proto, ok := parseAddress(key)
			if !ok || to.Addr().IsLoopback() || to.Port() == dnsPort && slices.Contains(way.rules.Allow, "dns") {
				continue
			}
			if to.Addr().IsUnspecified() { // it stands for any
				to = netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), to.Port())
			}
			open, err := p.opens(d, way.rules, to, proto)
			if err != nil {
				return all, err
			}
			if !open {
				all = append(all, Line{Value: way.what + key, Seen: way.table[key]})
			}
		}
	}
	return all, nil
}

// opens tries an address by itself and by each of its names.
func (p *Profile) opens(d *Data, rules egress.Policy, to netip.AddrPort, proto egress.Proto) (bool, error) {
	c, err := egress.Compile(rules, egress.Facts{})
	if err != nil {
		return false, err
	}
	for _, name := range append([]string{""}, d.Names[to.Addr().String()]...) {
		if v, _ := c.Decide(egress.Packet{Proto: proto, Addr: to.Addr(), Port: to.Port(), Name: name}); v == egress.Allow {
			return true, nil
		}
	}
	return false, nil
}

// String is a line for a reader.
func (l Line) String() string { return l.Value + ": " + l.about() }

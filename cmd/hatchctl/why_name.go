package main

import (
	"errors"
	"net/netip"
	"strings"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/why"
)

// resolvers reads the container's own resolv.conf(5).
func (s *subject) resolvers() (servers []netip.Addr, search []string) {
	text, err := s.text("/etc/resolv.conf")
	if err != nil {
		return nil, nil
	}
	const most = 3 // MAXNS
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(words[1]); err == nil && len(servers) < most {
				servers = append(servers, a)
			}
		case "search", "domain":
			search = words[1:min(len(words), 7)] // MAXDNSRCH
		}
	}
	return servers, search
}

func notLoopback(all []netip.Addr) []netip.Addr {
	var rest []netip.Addr
	for _, a := range all {
		if !a.IsLoopback() {
			rest = append(rest, a)
		}
	}
	return rest
}

// addresses are those of a host, as the container finds them: hosts(5) first,
// then its resolvers.
func (s *subject) addresses(host string, servers []netip.Addr, search []string, facts egress.Facts) ([]netip.Addr, *why.Finding) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if text, err := s.text("/etc/hosts"); err == nil {
		if found := inHosts(text, host); len(found) > 0 {
			return found, nil
		}
	}
	var answers []why.Asked
	for _, server := range servers {
		a := why.Asked{Server: server}
		if !server.IsLoopback() {
			if f, err := s.reach(egress.Packet{Proto: egress.UDP, Addr: server, Port: 53}, facts, nil, false); err == nil && (f.Verdict == why.Hatchdog || f.Layer == why.LayerRoute) {
				if f.Verdict == why.Hatchdog {
					a.Denied = &f
				}
				a.Err = errors.New(f.Why)
				answers = append(answers, a)
				continue
			}
		}
		for _, name := range searched(host, search) {
			if a.Found, a.Err = inside.LookUp(s.net, server, name); len(a.Found) > 0 {
				return a.Found, nil
			}
			if a.Err != nil && !errors.Is(a.Err, inside.ErrNoName) {
				break // no other name is answered either
			}
		}
		answers = append(answers, a)
	}
	return nil, why.Named(host, answers)
}

// searched are the names that are asked for, in their order (resolv.conf(5), with
// ndots 1).
func searched(host string, search []string) []string {
	var all []string
	for _, domain := range search {
		if domain != "." {
			all = append(all, host+"."+strings.Trim(domain, "."))
		}
	}
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	if strings.Contains(host, ".") {
		return append([]string{host}, all...)
	}
	return append(all, host)
}

func inHosts(text, host string) []netip.Addr {
	var all []netip.Addr
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		for _, name := range words[min(1, len(words)):] {
			if a, err := netip.ParseAddr(words[0]); err == nil && strings.EqualFold(name, strings.TrimSuffix(host, ".")) {
				all = append(all, a.Unmap())
			}
		}
	}
	return all
}

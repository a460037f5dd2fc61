package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Entry is one entry of a list: TARGET[:PORTS][/PROTOCOL], and behind a name
// the word private.
type Entry struct {
	Text   string
	Group  string       // or
	Host   string       // the name of a host, in lower case; its first label may be *; or
	Prefix netip.Prefix // an address is a prefix of its whole length
	// Private lets a name stand for private addresses.
	Private bool
	Proto   Proto
	Ports   Ports
}

// Errors of an entry.
var (
	ErrTarget = errors.New("neither an address nor a group")
	ErrBits   = errors.New("bits of the address are set beyond the prefix's length")
	ErrPorts  = errors.New("not a port from 1 to 65535, nor a range of two")
	ErrProto  = errors.New("not a protocol: tcp, udp or icmp")
	ErrShape  = errors.New("not of the form TARGET[:PORTS][/PROTOCOL]")
)

// ParseError is an error of an entry, with the nearest that would do.
type ParseError struct {
	Err  error
	Near string
}

func (e *ParseError) Error() string { return e.Err.Error() }

func (e *ParseError) Unwrap() error { return e.Err }

// Parse reads an entry.
//
// An IPv6 address stands in brackets where ports follow it. Ports without a
// protocol are those of tcp and udp.
func Parse(text string) (Entry, error) {
	e := Entry{Text: text}
	text, e.Private = strings.CutSuffix(text, PrivateWord)
	target, ports, proto, err := split(text)
	if err != nil {
		return e, err
	}
	if e.Proto, err = parseProto(proto); err != nil {
		return e, err
	}
	if e.Ports, err = parsePorts(ports); err != nil {
		return e, err
	}
	if !e.Ports.any() && e.Proto == ICMP {
		return e, &ParseError{Err: fmt.Errorf("%w: icmp has no ports", ErrPorts)}
	}
	if slices.Contains(Groups(), target) {
		e.Group = target
		if e.Group == groupDNS && (ports != "" || proto != "") {
			return e, &ParseError{fmt.Errorf("%w: dns is port 53 of the resolvers already", ErrShape), groupDNS}
		}
		return e, e.notPrivate()
	}
	if named(target, e.Ports) {
		if e.Host, err = parseName(target); err == nil && e.Ports.any() && e.Proto != ICMP {
			err = &ParseError{Err: ErrNamePorts}
		}
		return e, err
	}
	if e.Prefix, err = parsePrefix(target); err != nil {
		return e, err
	}
	return e, e.notPrivate()
}

func (e Entry) notPrivate() error {
	if e.Private {
		return &ParseError{Err: ErrPrivate}
	}
	return nil
}

// split takes an entry apart. A slash is before a prefix length where a digit
// follows, and before a protocol where a letter does.
func split(text string) (target, ports, proto string, err error) {
	target = text
	if i := strings.LastIndexByte(target, '/'); i >= 0 && (i+1 == len(target) || target[i+1] < '0' || target[i+1] > '9') {
		target, proto = target[:i], target[i+1:]
		if proto == "" {
			return "", "", "", &ParseError{Err: ErrShape}
		}
	}
	if rest, bracketed := strings.CutPrefix(target, "["); bracketed {
		inside, after, closed := strings.Cut(rest, "]")
		if !closed || after != "" && (after[0] != ':' || len(after) == 1) || !strings.Contains(inside, ":") {
			return "", "", "", &ParseError{Err: ErrShape}
		}
		return inside, strings.TrimPrefix(after, ":"), proto, nil
	}
	if strings.Count(target, ":") == 1 {
		target, ports, _ = strings.Cut(target, ":")
		if ports == "" {
			return "", "", "", &ParseError{Err: ErrShape}
		}
	}
	return target, ports, proto, nil
}

func parseProto(s string) (Proto, error) {
	switch p := Proto(s); p {
	case Any, TCP, UDP, ICMP:
		return p, nil
	case "icmpv6", "icmp6", "ping":
		return Any, &ParseError{ErrProto, string(ICMP)}
	}
	return Any, &ParseError{Err: ErrProto}
}

func parsePorts(s string) (Ports, error) {
	if s == "" {
		return Ports{}, nil
	}
	low, high, ranged := strings.Cut(s, "-")
	if !ranged {
		high = low
	}
	a, err1 := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if err1 != nil || err2 != nil || a == 0 || a > b {
		return Ports{}, &ParseError{Err: ErrPorts}
	}
	return Ports{uint16(a), uint16(b)}, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return netip.Prefix{}, &ParseError{ErrTarget, nearGroup(s)}
		}
		return single(a), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil, p.Addr().Is4In6():
		return netip.Prefix{}, &ParseError{ErrTarget, nearGroup(s)}
	case p.Masked() != p:
		return netip.Prefix{}, &ParseError{ErrBits, p.Masked().String()}
	}
	return p, nil
}

// nearGroup is the group that s starts like.
func nearGroup(s string) string {
	for _, g := range Groups() {
		if len(s) >= 3 && len(s) <= len(g)+1 && strings.HasPrefix(g, strings.ToLower(s[:3])) {
			return g
		}
	}
	return ""
}

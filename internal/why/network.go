package why

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Reach is what is known of the way to one address.
type Reach struct {
	Packet   egress.Packet
	Decision egress.Decision
	Facts    egress.Facts
	Ruled    bool   // the container's network has the rules of its profile
	Dropped  uint64 // packets of the last hour
	Ago      time.Duration
	Own      bool  // the address is the container's own
	NoRoute  error // what the kernel says of the way
	Listen   []netip.AddrPort
	Tried    bool
	TryErr   error
}

func (r Reach) to() string {
	to := r.Packet.Addr.String()
	if r.Packet.Port != 0 {
		to = netip.AddrPortFrom(r.Packet.Addr, r.Packet.Port).String()
	}
	return to + "/" + string(r.Packet.Proto)
}

// Reach says what stops a packet.
func (c *Container) Reach(r Reach) Finding {
	what := "reach " + r.to()
	denied := r.Ruled && r.Decision.Verdict == egress.Deny
	switch {
	case r.Dropped > 0 && r.Ruled:
		return c.dropped(what, r).with(fmt.Sprintf("the kernel dropped %d packets to it, the last %s ago", r.Dropped, r.Ago.Round(time.Second)))
	case r.NoRoute != nil:
		f := other(what, LayerRoute, "the container's network has no route there: "+r.NoRoute.Error())
		if denied {
			f = f.with("the rules of its profile would drop the packet as well (" + c.ruleWords(r) + ")")
		}
		return f
	case denied:
		return c.dropped(what, r)
	case (r.Own || r.Packet.Addr.IsLoopback()) && r.Packet.Port != 0 && !r.listens():
		return other(what, LayerPort, "nothing in the container listens there").with(r.listening()...)
	case r.Tried && r.TryErr == nil:
		return undetermined(what, "a connection was opened from the container's network: nothing stops it now")
	case r.Tried:
		return tried(what, r.TryErr)
	}
	f := undetermined(what, "no rule of hatchdog stops it")
	if !r.Ruled {
		f = f.with("the container has no network rules of hatchdog's")
	}
	if r.Own || r.Packet.Addr.IsLoopback() {
		return f.with("something listens there")
	}
	return f.with("there is a route; --try opens a connection")
}

func tried(what string, err error) Finding {
	switch {
	case errors.Is(err, inside.ErrRefused):
		return other(what, LayerPort, "the other end is there and refuses: nothing listens on that port")
	case errors.Is(err, inside.ErrUnreachable):
		return other(what, LayerRoute, "the network says that it cannot be reached: "+err.Error())
	case errors.Is(err, inside.ErrSilent):
		return undetermined(what, "no rule of hatchdog stops it, and nothing answered: a firewall on the way drops it, or nobody has the address")
	}
	return undetermined(what, "no rule of hatchdog stops it, and the connection failed: "+err.Error())
}

func (c *Container) dropped(what string, r Reach) Finding {
	entry := r.to()
	if r.Packet.Addr.Is6() {
		entry = "[" + r.Packet.Addr.String() + "]"
		if r.Packet.Port != 0 {
			entry += fmt.Sprintf(":%d", r.Packet.Port)
		}
		entry += "/" + string(r.Packet.Proto)
	}
	f := hatchdog(what, "its network rules drop it: "+c.ruleWords(r), c.ruleAt(r), control.Add("egress.allow", control.Quoted(entry)))
	return f.lifts(inProfile(func(p *policy.Profile) bool {
		d, err := egress.Decide(r.Packet, p.EgressPolicies(), r.Facts)
		return err == nil && d.Verdict == egress.Allow
	}))
}

func (c *Container) ruleWords(r Reach) string {
	switch {
	case r.Decision.Verdict != egress.Deny:
		return "a rule of another container in the same network, or of addresses that the host had at its start"
	case r.Decision.Entry == "":
		return "egress.default of " + r.Decision.Policy
	}
	return fmt.Sprintf("%q in egress.deny of %s", r.Decision.Entry, r.Decision.Policy)
}

func (c *Container) ruleAt(r Reach) string {
	if c.Profile == nil || r.Decision.Verdict != egress.Deny {
		return ""
	}
	return c.Profile.WhereEntry("egress", string(egress.Deny), r.Decision.Entry)
}

func (r Reach) listens() bool {
	return slices.ContainsFunc(r.Listen, func(l netip.AddrPort) bool {
		return l.Port() == r.Packet.Port && (l.Addr() == r.Packet.Addr || l.Addr().IsUnspecified() && (l.Addr().Is6() || r.Packet.Addr.Is4()))
	})
}

// listening are the addresses on which something listens, on that port or at
// all.
func (r Reach) listening() []string {
	var same, all []string
	for _, l := range r.Listen {
		all = append(all, l.String())
		if l.Port() == r.Packet.Port {
			same = append(same, l.String())
		}
	}
	const most = 12
	switch {
	case len(same) > 0:
		return []string{"on that port something listens on " + strings.Join(same, ", ") + " alone"}
	case len(all) == 0:
		return []string{"nothing listens on any port of " + string(r.Packet.Proto)}
	}
	return []string{"what listens: " + strings.Join(all[:min(len(all), most)], ", ")}
}

// Bind says why a program cannot listen on a port.
func (c *Container) Bind(port uint16, proto egress.Proto, listen []netip.AddrPort, unprivileged int) Finding {
	what := fmt.Sprintf("listen on port %d/%s", port, proto)
	for _, l := range listen {
		if l.Port() == port {
			return other(what, LayerPort, "the port is in use: something in the container's network listens on "+l.String())
		}
	}
	const name = "CAP_NET_BIND_SERVICE"
	if int(port) >= unprivileged || c.holds(name) {
		return undetermined(what, "nothing that can be seen from the host stops it: the port is free")
	}
	f := c.Capability(name)
	f.What = what
	f.Why = fmt.Sprintf("ports below %d want %s: %s", unprivileged, name, f.Why)
	return f.with("the sysctl net.ipv4.ip_unprivileged_port_start is another way")
}

// Asked is what one resolver said of a name.
type Asked struct {
	Server netip.Addr
	Denied *Finding // our own rules drop the question
	Err    error
	Found  []netip.Addr
}

// Named says why a name leads to no address; nil where it leads to one.
func Named(name string, answers []Asked) *Finding {
	what := "look up " + name
	var said []string
	for _, a := range answers {
		if a.Denied != nil {
			f := *a.Denied
			f.What = what
			f.Why = "the question to the resolver " + a.Server.String() + " is dropped: " + f.Why
			return &f
		}
		if len(a.Found) > 0 {
			return nil
		}
		said = append(said, a.Server.String()+": "+errWords(a.Err))
	}
	if len(answers) == 0 {
		f := other(what, LayerDNS, "the container's /etc/resolv.conf names no resolver, and its /etc/hosts does not have the name")
		return &f
	}
	reason := "no resolver of the container answers"
	if slices.ContainsFunc(answers, func(a Asked) bool { return a.Err == nil || errors.Is(a.Err, inside.ErrNoName) }) {
		reason = "no resolver of the container knows it"
	}
	f := other(what, LayerDNS, reason).with(said...)
	if !strings.ContainsAny(name, ".:") {
		f.Evidence = append(f.Evidence, "it is no system call, capability or path that is known: is it a host?")
	}
	return &f
}

func errWords(err error) string {
	if err == nil {
		return "no address"
	}
	return err.Error()
}

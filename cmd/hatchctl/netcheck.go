package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hatchdog/hatchdog/internal/effects/firewall"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// wouldDeny is the answer of net check for a packet that is dropped.
const wouldDeny = 1

// answer is what becomes of one packet.
type answer struct {
	Addr    netip.Addr     `json:"addr,omitzero"`
	Name    string         `json:"name,omitempty"`
	Port    uint16         `json:"port,omitempty"`
	Proto   egress.Proto   `json:"proto"`
	Verdict egress.Verdict `json:"verdict"`
	Profile string         `json:"profile,omitempty"`
	Entry   string         `json:"entry,omitempty"`
	Policy  string         `json:"policy,omitempty"` // the place of the line that decides
	Reason  string         `json:"reason,omitempty"`
}

func netCheckCommand(o *options) *cobra.Command {
	var to, profile, resolvConf string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check POLICY --to HOST[:PORT]/PROTOCOL",
		Short: "Show whether a packet would be dropped, and by which line of the policy",
		Long: `Show whether a packet of a container would be dropped, and by which line of the
policy. No packet is sent. A HOST that is a name is judged by the names of the
policy where it has some, and else looked up.

POLICY is a profile of the policy in force, or a policy file, which stands for its
default profile or for that of --profile. The groups host and dns stand for this
host's addresses and resolvers. Exit code 0: the packet gets through. 1: it is
dropped.`,
		Example: `  hatchctl net check policy.yaml --to 169.254.169.254:80/tcp
  hatchctl net check restricted --to [2001:db8::1]:443/tcp
  hatchctl net check untrusted --to 9.9.9.9/icmp`,
		Args: between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return usageError(cmd, "--to is missing")
			}
			p, err := o.profile(args[0], profile)
			if err != nil {
				return err
			}
			t, err := parseTarget(to)
			if err != nil {
				return usageError(cmd, "--to %q: %v", to, err)
			}
			answers, err := t.answers(p, resolvConf)
			if err != nil {
				return err
			}
			denied := false
			for _, a := range answers {
				denied = denied || a.Verdict == egress.Deny
				if asJSON {
					err = printJSON(cmd.OutOrStdout(), a)
				} else {
					fmt.Fprintln(cmd.OutOrStdout(), a)
				}
				if err != nil {
					return err
				}
			}
			if denied {
				return exitError(wouldDeny)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "where to, as in 10.0.0.1:443/tcp, [2001:db8::1]:53/udp or example.org/icmp")
	cmd.Flags().StringVar(&profile, "profile", "", "a profile of the policy file other than its default")
	cmd.Flags().StringVar(&resolvConf, "resolv-conf", "", "the container's own resolv.conf, beside the host's")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// profile is one of a policy file, or of the policy in force.
func (o *options) profile(name, of string) (*policy.Profile, error) {
	pol, err := o.policy()
	if info, serr := os.Stat(name); serr == nil && info.Mode().IsRegular() {
		pol, err = policy.LoadFile(name)
		name = of
		if err == nil && name == "" {
			name = pol.Profile
		}
	}
	if err != nil {
		return nil, err
	}
	for _, full := range []string{name, "builtin/" + name} {
		if p := pol.Profiles[full]; p != nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no policy file and no profile %q", name)
}

// target is where a packet goes.
type target struct {
	host  string
	port  uint16
	proto egress.Proto
}

// answers is what becomes of packets to it: of one to a name that the profile
// may have, or to its addresses.
func (t target) answers(p *policy.Profile, resolvConf string) ([]answer, error) {
	addr, err := netip.ParseAddr(t.host)
	addrs := []netip.Addr{addr}
	if err != nil {
		if a, named, err := byName(p, t.host, t.port, t.proto); named || err != nil {
			return []answer{a}, err
		}
		if addrs, err = lookUpHost(t.host); err != nil {
			return nil, err
		}
	}
	facts, err := firewall.Resolve(-1, resolvConf)
	if err != nil {
		return nil, err
	}
	var all []answer
	for _, addr := range addrs {
		a, err := decide(p, egress.Packet{Proto: t.proto, Addr: addr, Port: t.port}, facts)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

func lookUpHost(name string) ([]netip.Addr, error) {
	found, err := net.LookupHost(name)
	var all []netip.Addr
	for _, f := range found {
		if addr, err := netip.ParseAddr(f); err == nil {
			all = append(all, addr.Unmap())
		}
	}
	return all, err
}

// parseTarget reads HOST[:PORT]/PROTOCOL. A name's protocol may be left out: it is
// tcp.
func parseTarget(s string) (target, error) {
	host, proto, ok := strings.Cut(s, "/")
	if !ok && strings.ContainsFunc(s, func(c rune) bool { return c >= 'g' && c <= 'z' }) && strings.Contains(s, ":") {
		proto, ok = string(egress.TCP), true
	}
	if !ok {
		return target{}, fmt.Errorf("want HOST:PORT/tcp, HOST:PORT/udp or HOST/icmp")
	}
	name, port := host, ""
	if proto != string(egress.ICMP) {
		var err error
		if name, port, err = net.SplitHostPort(host); err != nil {
			return target{}, err
		}
	}
	// The grammar of entries checks the protocol and the port.
	e, err := egress.Parse("0.0.0.0" + strings.TrimSuffix(":"+port, ":") + "/" + proto)
	if err != nil || e.Ports.Low != e.Ports.High {
		return target{}, fmt.Errorf("port or protocol: %w", err)
	}
	return target{strings.Trim(name, "[]"), e.Ports.Low, e.Proto}, nil
}

func decide(p *policy.Profile, packet egress.Packet, facts egress.Facts) (answer, error) {
	d, err := egress.Decide(packet, p.EgressPolicies(), facts)
	a := answer{
		Addr: packet.Addr, Port: packet.Port, Proto: packet.Proto,
		Verdict: d.Verdict, Profile: d.Policy, Entry: d.Entry, Reason: d.Reason,
	}
	if d.Reason == "" {
		a.Policy = p.WhereEntry("egress", string(d.Verdict), d.Entry)
	}
	return a, err
}

func (a answer) String() string {
	to := a.Addr.String()
	if a.Name != "" {
		to = a.Name
		if a.Port != 0 {
			to = net.JoinHostPort(a.Name, strconv.Itoa(int(a.Port)))
		}
	} else if a.Port != 0 {
		to = netip.AddrPortFrom(a.Addr, a.Port).String()
	}
	s := fmt.Sprintf("%s  %s/%s  ", a.Verdict, to, a.Proto)
	switch {
	case a.Reason != "":
		return s + a.Reason
	case a.Entry == "":
		return s + fmt.Sprintf("by egress.default of %s (%s)", a.Profile, a.Policy)
	}
	return s + fmt.Sprintf("by %q in egress.%s of %s (%s)", a.Entry, a.Verdict, a.Profile, a.Policy)
}

package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/egress"
)

func TestNetworkEntriesAreCheckedInPlace(t *testing.T) {
	err := Check("p.yaml", []byte(`version: 1
profiles:
  web:
    extends: builtin/untrusted
    egress:
      default: denied
      allow: [inherited, "10.0.0.0/8:5432/tcp", metdata]
      deny:
        - 10.0.0.1/8
    ingress: {allow: [dns], deny: [host]}
    rate: {egress: 7bit}
`))
	got := ""
	if err != nil {
		got = err.Error()
	}
	for _, want := range []string{
		`p.yaml:6:16: egress.default: "denied" is not one of allow, deny`,
		`p.yaml:7:49: egress.allow: "metdata": neither an address nor a group; did you mean "metadata"?`,
		`p.yaml:9:11: egress.deny: "10.0.0.1/8": bits of the address are set beyond the prefix's length; did you mean "10.0.0.0/8"?`,
		`p.yaml:10:23: ingress.allow: dns is what a container asks`,
		`p.yaml:10:29: ingress.deny: unknown key`,
		`p.yaml:11:20: rate.egress: "7bit" is not bits in a second`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
}

func TestBuiltinNetworkRules(t *testing.T) {
	pol, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]egress.Policy{
		"baseline":   {Default: egress.Allow, Allow: []string{"dns"}, Deny: []string{"metadata", "link-local"}},
		"restricted": {Default: egress.Allow, Allow: []string{"dns"}, Deny: []string{"metadata", "link-local", "host"}},
		"untrusted":  {Default: egress.Deny, Deny: []string{"metadata", "link-local", "host"}},
	} {
		got := pol.Profiles["builtin/"+name].EgressPolicies()
		if len(got) != 1 || got[0].Default != want.Default || strings.Join(got[0].Allow, " ") != strings.Join(want.Allow, " ") || strings.Join(got[0].Deny, " ") != strings.Join(want.Deny, " ") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	p := pol.Profiles["builtin/restricted"]
	for entry, want := range map[string]string{"metadata": "builtin/baseline:", "host": "builtin/restricted:"} {
		if at := p.WhereEntry("egress", "deny", entry); !strings.HasPrefix(at, want) {
			t.Errorf("%s: %s", entry, at)
		}
	}
}

// What two profiles met let through, each of them lets through.
func TestMetNetworkRules(t *testing.T) {
	pol, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := pol.Profiles["builtin/baseline"], pol.Profiles["builtin/restricted"], pol.Profiles["builtin/untrusted"]
	for _, m := range []*Profile{Meet(a, c), Meet(c, a), Meet(Meet(a, b), c), Meet(Meet(c, b), Meet(a, c))} {
		names := ""
		for _, p := range m.EgressPolicies() {
			names += p.Name + " "
		}
		if !strings.Contains(names, "builtin/untrusted") || strings.Count(names, "builtin/untrusted") != 1 {
			t.Errorf("%s: %s", m.Name, names)
		}
	}
	if m := Meet(b, b); len(m.EgressPolicies()) != 1 {
		t.Errorf("met with itself: %+v", m.EgressPolicies())
	}
	fast, slow := int64(1e9), int64(1e6)
	x, y := *a, *b
	x.Rate.Egress, y.Rate.Egress = &fast, &slow
	x.Ingress = IngressRules{Default: egress.Deny, Allow: []string{"private"}}
	y.Ingress = IngressRules{Default: egress.Deny, Allow: []string{"host"}}
	if m := Meet(&x, &y); *m.Rate.Egress != slow || len(m.IngressPolicies()) != 2 {
		t.Errorf("%v %+v", *m.Rate.Egress, m.IngressPolicies())
	}
}

func drawnEntries() []string {
	return []string{"10.0.0.0/8", "10.0.0.0/16:80/tcp", "internet", "metadata", "host"}
}

// letsThrough is what of a few packets gets through all policies.
func letsThrough(policies []egress.Policy) []egress.Packet {
	facts := egress.Facts{Host: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}}
	var all []egress.Packet
	for _, addr := range []string{"10.0.0.1", "10.0.0.2", "10.1.0.1", "8.8.8.8", "169.254.169.254", "fd00:ec2::254", "2a00::1"} {
		for _, port := range []uint16{80, 81} {
			p := egress.Packet{Proto: egress.TCP, Addr: netip.MustParseAddr(addr), Port: port}
			if d, err := egress.Decide(p, policies, facts); err == nil && d.Verdict == egress.Allow {
				all = append(all, p)
			}
		}
	}
	return all
}

func reachesNoMore(m, p *Profile) bool {
	return holds(letsThrough(p.EgressPolicies()), letsThrough(m.EgressPolicies()))
}

func reachedByNoMore(m, p *Profile) bool {
	return holds(letsThrough(p.IngressPolicies()), letsThrough(m.IngressPolicies()))
}

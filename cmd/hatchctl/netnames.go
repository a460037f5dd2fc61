package main

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/effects/resolver"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// looked is what the resolver of a container did.
type looked struct {
	// State says whether it answers.
	State string `json:"state"`
	resolver.Status
}

// The states of a resolver.
const (
	resolverAnswers = "it answers"
	resolverKilled  = "the resolver was killed: no name resolves, and nothing opens; start the container anew"
	resolverShared  = "the resolver is that of the first container of this network namespace; ask for that one"
	resolverWaits   = "it is started when the container is"
)

// looked reads it; nil where the policy has no names.
func (o *options) looked(root, id string, rec *decision.Record) *looked {
	if rec == nil || rec.Ceiling == nil || !rec.Ceiling.NetworkRules().Named() {
		return nil
	}
	dir := o.store().Dir(root, id)
	r, own := decision.ResolverOf(dir)
	if !own {
		if _, ruled := decision.Namespace(dir); !ruled {
			return &looked{State: resolverWaits}
		}
		return &looked{State: resolverShared}
	}
	st, err := resolver.ReadStatus(decision.ResolverStatus(dir))
	l := &looked{State: resolverAnswers, Status: st}
	switch {
	case r.Alive() && err != nil:
		l.State += "; what it did cannot be read: " + err.Error()
	case r.Alive():
	case st.Ended == "":
		l.State = resolverKilled
	default:
		l.State = "it ended: " + st.Ended
	}
	return l
}

func (l *looked) print(w io.Writer) {
	if l == nil {
		return
	}
	fmt.Fprintln(w, "\nnames: "+harmless(l.State))
	now := time.Now()
	ago := func(t time.Time) time.Duration { return now.Sub(t).Round(time.Second) }
	table := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	if len(l.Names) > 0 {
		fmt.Fprintln(table, "  NAME\tLOOK-UPS\tAGO\tADDRESSES")
		for _, n := range l.Names {
			fmt.Fprintf(table, "  %s\t%d\t%s\t%s\n", harmless(n.Name), n.Hits, ago(n.Last), addressList(n.Addrs))
		}
		_ = table.Flush()
	}
	if len(l.Refused) > 0 {
		fmt.Fprintln(table, "  REFUSED NAME\tTIMES\tAGO\tREASON")
		for _, r := range l.Refused {
			fmt.Fprintf(table, "  %s\t%d\t%s\t%s\n", harmless(r.Name), r.Times, ago(r.Last), harmless(r.Reason))
		}
		_ = table.Flush()
	}
	if l.Malformed+l.Foreign+l.Failed > 0 {
		fmt.Fprintf(w, "  %d messages that are no questions, %d answers that nobody asked for, %d questions that no resolver answered\n", l.Malformed, l.Foreign, l.Failed)
	}
}

// explain is what explain says of it.
func (l *looked) explain(w io.Writer) {
	if l != nil {
		fmt.Fprintln(w, "\nnames: "+harmless(l.State)+"; hatchctl net shows them")
	}
}

func addressList(all []netip.Addr) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, harmless(a.String())) // a zone is any text
	}
	return orDash(strings.Join(texts, " "))
}

// byName says what becomes of a packet to a name; false where the profile has no
// names, and the name's addresses decide.
func byName(p *policy.Profile, name string, port uint16, proto egress.Proto) (answer, bool, error) {
	if !p.NetworkRules().Named() {
		return answer{}, false, nil
	}
	a := answer{Name: name, Port: port, Proto: proto, Verdict: egress.Deny, Reason: "the name is not in the policy: the container's question gets " + unlisted(p)}
	if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
		return a, true, fmt.Errorf("--to %q: %w", name, egress.ErrASCII)
	}
	host := strings.ToLower(strings.TrimSuffix(name, "."))
	for _, one := range p.EgressPolicies() {
		c, err := egress.Compile(one, egress.Facts{})
		if err != nil {
			return a, true, err
		}
		for _, g := range c.Gates {
			if !g.Has(host) {
				continue
			}
			a.Reason = "the name resolves, and its addresses are open at other ports alone"
			if g.Proto != egress.Any && g.Proto != proto || !g.Ports.Has(port) {
				continue
			}
			text := entryOf(one, g, host)
			return answer{
				Name: name, Port: port, Proto: proto, Verdict: egress.Allow, Profile: one.Name, Entry: text,
				Policy: p.WhereEntry("egress", string(egress.Allow), text),
			}, true, nil
		}
	}
	return a, true, nil
}

// unlisted is the answer for a name that the policy does not have.
func unlisted(p *policy.Profile) string {
	for _, one := range p.EgressPolicies() {
		if c, err := egress.Compile(one, egress.Facts{}); err == nil && len(c.Gates) > 0 && one.Refused {
			return "REFUSED"
		}
	}
	return "NXDOMAIN"
}

// entryOf is the entry for which a gate opens for a name.
func entryOf(p egress.Policy, g egress.Gate, host string) string {
	for _, text := range p.Allow {
		e, err := egress.Parse(text)
		if err != nil || e.Host == "" {
			continue
		}
		if one := (egress.Gate{Proto: e.Proto, Ports: e.Ports, Private: e.Private, Names: []string{e.Host}}); one.Text() == g.Text() && one.Has(host) {
			return text
		}
	}
	return ""
}

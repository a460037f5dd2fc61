package policy

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// EgressRules say what a container may reach.
type EgressRules struct {
	Default egress.Verdict `json:"default"`
	Allow   []string       `json:"allow"`
	Deny    []string       `json:"deny"`
	Names   NameRules      `json:"names"`
	// Also are the rules of the profiles that this one was met with. A packet
	// must pass them all.
	Also []EgressRules `json:"also,omitempty" policy:"-"`
	// From is the profile that rules of Also are from.
	From string `json:"from,omitempty" policy:"-"`
}

// NameRules say how names are looked up.
type NameRules struct {
	// Unlisted is the answer for a name that is not allowed; "" in a record of before
	// there was a choice.
	Unlisted Unlisted `json:"unlisted"`
}

// Unlisted is the answer for a name that is not allowed.
type Unlisted string

// The answers, as DNS has them (RFC 1035, 4.1.1).
const (
	AnswerNXDomain Unlisted = "nxdomain" // there is no such name
	AnswerRefused  Unlisted = "refused"  // the resolver will not say
)

// IngressRules say who may open connections to a container.
type IngressRules struct {
	Default egress.Verdict `json:"default"`
	Allow   []string       `json:"allow"`
	Also    []IngressRules `json:"also,omitempty" policy:"-"`
	From    string         `json:"from,omitempty" policy:"-"`
}

// RateRules are ceilings of a container's traffic; nil is none.
type RateRules struct {
	Egress *int64 `json:"egress,omitempty" policy:",bits"` // bits in a second
}

// NetworkRules are what a profile says of the network, and no more. They are
// read from its JSON.
type NetworkRules struct {
	Name    string       `json:"name"` // of the profile
	Egress  EgressRules  `json:"egress"`
	Ingress IngressRules `json:"ingress"`
	Rate    RateRules    `json:"rate"`
}

// NetworkRules are the profile's.
func (p *Profile) NetworkRules() *NetworkRules {
	return &NetworkRules{p.Name, p.Egress, p.Ingress, p.Rate}
}

// EgressPolicies are the egress rules as the evaluator takes them, those that
// stop nothing left out.
func (n *NetworkRules) EgressPolicies() []egress.Policy {
	var all []egress.Policy
	for _, r := range append([]EgressRules{n.Egress}, n.Egress.Also...) {
		all = appendPolicy(all, egress.Policy{Name: cmp.Or(r.From, n.Name), Default: r.Default, Allow: r.Allow, Deny: r.Deny, Refused: r.Names.Unlisted == AnswerRefused})
	}
	return all
}

// IngressPolicies are the ingress rules.
func (n *NetworkRules) IngressPolicies() []egress.Policy {
	var all []egress.Policy
	for _, r := range append([]IngressRules{n.Ingress}, n.Ingress.Also...) {
		all = appendPolicy(all, egress.Policy{Name: cmp.Or(r.From, n.Name), Default: r.Default, Allow: r.Allow})
	}
	return all
}

// Named reports whether they allow names, so that the container has a resolver.
func (n *NetworkRules) Named() bool {
	for _, p := range n.EgressPolicies() {
		for _, text := range p.Allow {
			if e, err := egress.Parse(text); err == nil && e.Host != "" {
				return true
			}
		}
	}
	return false
}

// EgressPolicies are those of the profile's NetworkRules.
func (p *Profile) EgressPolicies() []egress.Policy { return p.NetworkRules().EgressPolicies() }

// IngressPolicies are those of the profile's NetworkRules.
func (p *Profile) IngressPolicies() []egress.Policy { return p.NetworkRules().IngressPolicies() }

func appendPolicy(all []egress.Policy, p egress.Policy) []egress.Policy {
	if p.Trivial() {
		return all
	}
	return append(all, p)
}

// WhereEntry names the place that set an entry of key (egress, ingress) with a
// verdict (allow, deny); "" is the default. The name of a profile that this one was
// met with stands for an entry of that profile.
func (p *Profile) WhereEntry(key, verdict, entry string) string {
	if entry == "" {
		return p.origin(key+".default", key)
	}
	list := map[string][]string{"egress.allow": p.Egress.Allow, "egress.deny": p.Egress.Deny, "ingress.allow": p.Ingress.Allow}[key+"."+verdict]
	if i := slices.Index(list, entry); i >= 0 {
		return p.origin(key+"."+verdict+"["+strconv.Itoa(i)+"]", key+"."+verdict)
	}
	return p.Name
}

func (p *Profile) origin(keys ...string) string {
	for _, k := range keys {
		if at := p.Origin[k]; at != "" {
			return at
		}
	}
	return p.Name
}

// isNetwork reports whether key is of the network rules, of which each entry
// has its place: `hatchctl net` names the line that decided.
func isNetwork(key string) bool {
	return strings.HasPrefix(key, "egress.") || strings.HasPrefix(key, "ingress.")
}

func meetEgress(a, b *Profile) EgressRules {
	own, other := a.Egress, b.Egress
	own.From, other.From = cmp.Or(own.From, a.Name), cmp.Or(other.From, b.Name)
	own.Also = beside(own, slices.Concat(own.Also, []EgressRules{other}, other.Also), EgressRules.same, EgressRules.alone)
	return own
}

func meetIngress(a, b *Profile) IngressRules {
	own, other := a.Ingress, b.Ingress
	own.From, other.From = cmp.Or(own.From, a.Name), cmp.Or(other.From, b.Name)
	own.Also = beside(own, slices.Concat(own.Also, []IngressRules{other}, other.Also), IngressRules.same, IngressRules.alone)
	return own
}

// beside are those of others that say something else than own, each once and
// without what it was met with itself.
func beside[R any](own R, others []R, same func(a, b R) bool, alone func(R) R) []R {
	var all []R
	for _, o := range others {
		if !same(own, o) && !slices.ContainsFunc(all, func(r R) bool { return same(r, o) }) {
			all = append(all, alone(o))
		}
	}
	return all
}

func (r EgressRules) same(o EgressRules) bool {
	return r.Default == o.Default && slices.Equal(r.Allow, o.Allow) && slices.Equal(r.Deny, o.Deny)
}

func (r EgressRules) alone() EgressRules {
	r.Also = nil
	return r
}

func (r IngressRules) same(o IngressRules) bool {
	return r.Default == o.Default && slices.Equal(r.Allow, o.Allow)
}

func (r IngressRules) alone() IngressRules {
	r.Also = nil
	return r
}

// named makes the one text of an entry {name: TEXT, private: true} that the rest
// of the policy knows.
func (r *reader) named(n *yaml.Node, key string) {
	var e struct {
		Name    string `json:"name"`
		Private bool   `json:"private"`
	}
	had := len(r.errs)
	r.object(&yaml.Node{Kind: n.Kind, Line: n.Line, Column: n.Column, Content: n.Content}, key, reflect.ValueOf(&e).Elem())
	if len(r.errs) == had && e.Name == "" {
		r.fail(n, key, "", "want name: the host and its ports, as in {name: \"db.internal:5432\", private: true}")
	}
	if e.Private {
		e.Name += egress.PrivateWord
	}
	*n = *scalarNode(n, e.Name)
}

// normaliseNetwork refuses entries that are none.
func normaliseNetwork(r *reader, n *yaml.Node, p *Profile) {
	for _, list := range []struct {
		key, sub string
		entries  []string
	}{
		{"egress", "allow", p.Egress.Allow},
		{"egress", "deny", p.Egress.Deny},
		{"ingress", "allow", p.Ingress.Allow},
	} {
		for _, text := range list.entries {
			at := place(n, text, list.key, list.sub)
			e, err := egress.Parse(text)
			if at == nil {
				if e.Host != "" && p.Egress.Default != egress.Deny { // a name that is inherited
					r.fail(n, "egress.default", "", "%q: %s", text, egress.ErrNoDefault)
				}
				continue
			}
			var bad *egress.ParseError
			switch {
			case errors.As(err, &bad):
				r.fail(at, list.key+"."+list.sub, bad.Near, "%q: %s", text, bad.Error())
			case e.Host != "" && list.key == "ingress":
				r.fail(at, "ingress.allow", "", "%q: who asks has an address, and no name", text)
			case e.Host != "" && list.sub == "deny":
				r.fail(at, "egress.deny", "", "%q: %s", text, egress.ErrNameAllow)
			case e.Host != "" && p.Egress.Default != egress.Deny:
				r.fail(at, "egress.allow", "", "%q: %s", text, egress.ErrNoDefault)
			case list.key == "ingress" && e.Group == "dns":
				r.fail(at, "ingress.allow", "", "dns is what a container asks, not who asks it")
			}
		}
	}
}

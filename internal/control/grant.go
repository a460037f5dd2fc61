package control

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// Grant is one key of a profile that admits what was refused.
type Grant struct {
	// Key is the dotted key, as in "devices.allow".
	Key string `json:"key"`
	// Value is what it must hold, in YAML on one line.
	Value string `json:"value"`
	// List is true where Value is added to a list.
	List bool `json:"list,omitempty"`
	// Top is true for a key of the policy itself.
	Top bool `json:"top,omitempty"`
}

// Add grants by one more item of a list.
func Add(key, value string) Grant { return Grant{Key: key, Value: value, List: true} }

// Set grants by the value of a key.
func Set(key, value string) Grant { return Grant{Key: key, Value: value} }

// NoNetworkRules are what takes the network rules out of a profile.
func NoNetworkRules(p *policy.Profile) []Grant {
	var all []Grant
	if len(p.EgressPolicies()) > 0 {
		all = append(all, Set("egress", "{default: allow, allow: [], deny: []}"))
	}
	if len(p.IngressPolicies()) > 0 {
		all = append(all, Set("ingress", "{default: allow, allow: []}"))
	}
	if p.Rate.Egress != nil {
		all = append(all, Set("rate.egress", policy.None))
	}
	return all
}

// Granting adds to a refusal the keys that admit the request, all together. The
// remedy is written from them, so that what a reader is told is what Fragment
// says.
func (r *Refusal) Granting(grants ...Grant) *Refusal {
	if len(grants) == 0 {
		return r
	}
	r.Grants = append(r.Grants, grants...)
	switch {
	case strings.HasSuffix(r.Remedy, ","): // a condition of the grants
		r.Remedy += " "
	case r.Remedy != "":
		r.Remedy += ", or "
	}
	r.Remedy += words(grants)
	return r
}

func words(grants []Grant) string {
	var all []string
	for _, g := range grants {
		if g.List {
			all = append(all, "add "+g.Value+" to "+g.Key)
		} else {
			all = append(all, "set "+g.Key+" to "+g.Value)
		}
	}
	if grants[0].Top {
		return strings.Join(all, " and ") + " in the policy"
	}
	return strings.Join(all, " and ") + " in a profile for this workload"
}

// Union is the grants of both, each once.
func Union(all []Grant, more ...Grant) []Grant {
	for _, g := range more {
		if !slices.Contains(all, g) {
			all = append(all, g)
		}
	}
	return all
}

// Fragment is the grants as the keys of a profile, or of the policy, in YAML on one
// line. A list that is added to keeps the items of the profile that it extends.
func Fragment(grants []Grant) string {
	type node struct {
		name     string
		values   []string
		list     bool
		children []*node
	}
	root := &node{}
	for _, g := range grants {
		at := root
		for _, name := range strings.Split(g.Key, ".") {
			i := slices.IndexFunc(at.children, func(n *node) bool { return n.name == name })
			if i < 0 {
				i = len(at.children)
				at.children = append(at.children, &node{name: name})
			}
			at = at.children[i]
		}
		at.list = g.List
		if !slices.Contains(at.values, g.Value) {
			at.values = append(at.values, g.Value)
		}
	}
	var write func(n *node) string
	write = func(n *node) string {
		switch {
		case len(n.children) > 0:
			var all []string
			for _, c := range n.children {
				all = append(all, c.name+": "+write(c))
			}
			return "{" + strings.Join(all, ", ") + "}"
		case n.list:
			return "[" + strings.Join(append([]string{"inherited"}, n.values...), ", ") + "]"
		}
		return n.values[len(n.values)-1]
	}
	return strings.TrimSuffix(strings.TrimPrefix(write(root), "{"), "}")
}

// Quoted is a text as YAML writes it inside of a list.
func Quoted(s string) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	switch {
	case s == "" || strings.Trim(s, letters+"0123456789/._+-") != "", !strings.Contains(letters+"/", s[:1]),
		slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off"}, strings.ToLower(s)):
		return strconv.QuoteToASCII(s)
	}
	return s
}

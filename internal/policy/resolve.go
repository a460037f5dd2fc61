package policy

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/workload"
)

// ErrChoice means that a workload chose what the policy does not offer it.
var ErrChoice = errors.New("not offered by the policy")

// Resolution is the profile of one workload, and how it came to it.
type Resolution struct {
	Profile *Profile
	Rule    string // "FILE:LINE" of the rule; "" is the policy's default
	Notes   []string
}

// Resolve finds the workload's profile: the first rule that matches, met with
// what the workload chose among the policy's offers. A rule that rests on claims
// is met with what the workload has without all such rules.
func (p *Policy) Resolve(w workload.Workload) (Resolution, error) {
	res, claimed := p.first(w)
	if res.Profile == nil {
		return res, fmt.Errorf("policy: no profile %q", p.Profile)
	}
	if claimed != nil {
		narrow := p.Profiles[claimed.Profile]
		if narrow == nil {
			return res, fmt.Errorf("policy: no profile %q", claimed.Profile)
		}
		res.Notes = append(res.Notes, claimed.note(w, res.Profile.Name))
		res.Rule = claimed.Origin
		if narrow != res.Profile {
			res.Profile = Meet(res.Profile, narrow)
		}
	}
	for key, value := range w.Choices {
		if key != "profile" {
			return res, fmt.Errorf("annotation hatchdog.dev/%s: %w: the only choice is hatchdog.dev/profile", key, ErrChoice)
		}
		name := value
		if !slices.Contains(p.Offers, name) {
			name = builtinPrefix + value
		}
		if !slices.Contains(p.Offers, name) || p.Profiles[name] == nil {
			return res, fmt.Errorf("annotation hatchdog.dev/profile %q: %w: offers are %s", value, ErrChoice, list(p.Offers))
		}
		res.Notes = append(res.Notes, "the workload chose the profile "+name+"; what either profile forbids is forbidden")
		res.Profile = Meet(res.Profile, p.Profiles[name])
	}
	return res, nil
}

// first finds the profile of the first rule that matches without a claim that is
// not trusted, and a rule before it that rests on such a claim.
func (p *Policy) first(w workload.Workload) (Resolution, *Rule) {
	var claimed *Rule
	for i, rule := range p.Rules {
		if !rule.Match.matches(w) {
			continue
		}
		if len(rule.untrusted(w)) == 0 {
			return Resolution{Profile: p.Profiles[rule.Profile], Rule: rule.Origin}, claimed
		}
		if claimed == nil {
			claimed = &p.Rules[i]
		}
	}
	return Resolution{Profile: p.Profiles[p.Profile]}, claimed
}

// untrusted are the claims that the rule rests on and does not trust.
func (r Rule) untrusted(w workload.Workload) []Claim {
	return slices.DeleteFunc(r.Match.claims(w), func(c Claim) bool { return slices.Contains(r.Trust, c) })
}

// claims are what the match asks for that whoever makes the container chooses.
// Which image a pod has is said by the kubelet.
func (m Match) claims(w workload.Workload) []Claim {
	var all []Claim
	if m.Name != "" {
		all = append(all, ClaimName)
	}
	if len(m.Label) > 0 {
		all = append(all, ClaimLabel)
	}
	if m.Image != "" && w.Engine != workload.CRI {
		all = append(all, ClaimImage)
	}
	if len(m.Compose) > 0 {
		all = append(all, ClaimCompose)
	}
	return all
}

func (r Rule) note(w workload.Workload, base string) string {
	var claims []string
	for _, c := range r.untrusted(w) {
		claims = append(claims, string(c))
	}
	return fmt.Sprintf("rule %s matches by %s, which whoever makes the container chooses: it takes from %s and adds nothing; trust: [%s] in the rule lets it add",
		r.Origin, strings.Join(claims, " and "), base, strings.Join(claims, ", "))
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func (m Match) matches(w workload.Workload) bool {
	if m.Sandbox != nil && *m.Sandbox != w.Sandbox {
		return false
	}
	for _, pair := range [][2]string{
		{m.Engine, w.Engine},
		{m.Namespace, w.Namespace},
		{m.Pod, w.Pod},
		{m.Container, w.Container},
		{m.Image, w.Image},
		{m.ID, w.ID},
		{m.Name, w.Name},
		{m.Compose["project"], w.Project},
		{m.Compose["service"], w.Service},
	} {
		if pair[0] != "" && !glob(pair[0], pair[1]) {
			return false
		}
	}
	for name, pattern := range m.Label {
		if value, has := w.Labels[name]; !has || !glob(pattern, value) {
			return false
		}
	}
	return m.ImageDigest == "" || slices.ContainsFunc(w.ImageDigests, func(d string) bool { return glob(m.ImageDigest, d) })
}

// glob matches * to any run of characters, / included.
func glob(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	rest, ok := strings.CutPrefix(s, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// AccessFor is what a resolved host path may be mounted for. The longest of the
// rules that the path lies in decides, and the closer one of two as long. A path in
// none is open.
func (m MountRules) AccessFor(resolved string) (Access, PathRule) {
	best, depth := PathRule{Access: AccessRW}, -1
	for _, r := range slices.Concat(m.Protect, m.Allow) {
		d := matchDepth(r.Path, resolved)
		if d > depth || d == depth && d >= 0 && narrower(r.Access, best.Access) {
			best, depth = r, d
		}
	}
	if depth == 0 && resolved != "/" {
		return AccessRW, PathRule{Access: AccessRW} // "/" protects itself alone
	}
	return best.Access, best
}

// Opens finds the exception that an administrator wrote for this very path: it
// opens all of it, what is protected below included. A pattern, and a rule that
// was derived, opens no more than itself.
func (m MountRules) Opens(resolved string) (PathRule, bool) {
	i := slices.IndexFunc(m.Allow, func(r PathRule) bool { return r.Path == resolved && !r.Derived && r.Access != AccessNone })
	if i < 0 {
		return PathRule{}, false
	}
	return m.Allow[i], true
}

// Contains lists the protected paths that lie below dir.
func (m MountRules) Contains(dir string) []PathRule {
	var in []PathRule
	for _, r := range m.Protect {
		if r.Path != dir && matchDepth(dir, r.Path) >= 0 {
			in = append(in, r)
		}
	}
	return in
}

// matchDepth is how many elements of pattern lead to p, -1 where p does not
// lie in it. An element * stands for any one.
func matchDepth(pattern, p string) int {
	if pattern == "/" {
		return 0
	}
	want, have := strings.Split(pattern[1:], "/"), strings.Split(path.Clean(p)[1:], "/")
	if len(want) > len(have) {
		return -1
	}
	for i, w := range want {
		if w != "*" && w != have[i] {
			return -1
		}
	}
	return len(want)
}

// Lists reports whether a list of the policy has the text. An entry that ends in *
// is a prefix.
func Lists(entries []string, text string) bool {
	return slices.ContainsFunc(entries, func(e string) bool {
		prefix, wild := strings.CutSuffix(e, "*")
		return e == text || wild && strings.HasPrefix(text, prefix)
	})
}

// MatchPath reports whether p is what pattern names: an element * stands for
// any one.
func MatchPath(pattern, p string) bool {
	return pattern == p || matchDepth(pattern, p) == strings.Count(path.Clean(p), "/")
}

func narrower(a, b Access) bool { return accessRank(a) < accessRank(b) }

func accessRank(a Access) int {
	switch a {
	case AccessRW:
		return 2
	case AccessRO:
		return 1
	}
	return 0
}

package policy

import (
	"slices"
	"strings"
)

// meetMounts keeps every rule of both, each as far as the other admits its
// path: the longest rule decides, and would else open what a shorter one of
// the other closes.
func meetMounts(a, b MountRules) MountRules {
	m := MountRules{
		Sockets:    a.Sockets && b.Sockets,
		Masked:     union(a.Masked, b.Masked),
		ReadOnly:   union(a.ReadOnly, b.ReadOnly),
		Visible:    common(a.Visible, b.Visible),
		TmpOptions: union(a.TmpOptions, b.TmpOptions),

		WritableOptions: union(a.WritableOptions, b.WritableOptions),
		ReadOnlyAt:      union(a.ReadOnlyAt, b.ReadOnlyAt),
		ProcOptions:     union(a.ProcOptions, b.ProcOptions),
	}
	for _, pair := range []struct{ from, other MountRules }{{a, b}, {b, a}} {
		for i, r := range slices.Concat(pair.from.Protect, pair.from.Allow) {
			least, named := pair.other.least(r.Path)
			if narrower(least.Access, r.Access) {
				r.Access, r.Reason = least.Access, least.Reason
			}
			// An exception also admits sockets and device nodes, where it decides
			// in both.
			to := &m.Protect
			if _, own := pair.from.least(r.Path); own && named && i >= len(pair.from.Protect) {
				to = &m.Allow
				_, both := pair.other.Opens(r.Path)
				r.Derived = r.Derived || !both
			}
			if !slices.Contains(*to, r) {
				*to = append(*to, r)
			}
		}
	}
	return m
}

// least is the narrowest access that a path of the pattern may have. named is
// true where an exception decides on each of them. Rules that are longer than
// the pattern do not count.
func (m MountRules) least(pattern string) (by PathRule, named bool) {
	certain, depth := PathRule{Access: AccessRW}, -1
	for i, r := range slices.Concat(m.Protect, m.Allow) {
		d := matchDepth(r.Path, pattern)
		if d == 0 && pattern != "/" {
			continue // "/" protects itself alone
		}
		if d > depth || d == depth && d >= 0 && narrower(r.Access, certain.Access) {
			certain, depth, named = r, d, i >= len(m.Protect)
		}
	}
	by = certain
	for i, r := range slices.Concat(m.Protect, m.Allow) {
		if d := overlap(r.Path, pattern); d < max(depth, 1) {
			continue
		}
		named = named && i >= len(m.Protect)
		if narrower(r.Access, by.Access) {
			by = r
		}
	}
	return by, named
}

// overlap is how many elements the rule has, where some path lies in it and in
// the pattern, and -1 where none does.
func overlap(rule, pattern string) int {
	r, p := strings.Split(rule, "/")[1:], strings.Split(pattern, "/")[1:]
	if len(r) > len(p) || rule == "/" || pattern == "/" {
		return -1
	}
	for i := range r {
		if r[i] != "*" && p[i] != "*" && r[i] != p[i] {
			return -1
		}
	}
	return len(r)
}

package seccomp

import "slices"

// sound is the part of s that libseccomp compiles to what it says. exact is
// false where something had to be left out.
//
// These shapes are: all arguments; one conjunction; conjunctions of which no
// two can hold at once because of the first argument that each looks at, which
// is the same for all. Others came out of libseccomp 2.5.4 wider or narrower
// than their text (internal/seccomp/proof).
func (s Set) sound() (part Set, exact bool) {
	if s.Always() {
		return Always(), true
	}
	if len(s) <= 1 {
		return s, true
	}
	part = s[:1]
	for index := range uint(6) {
		if group := s.branches(index); len(group) > len(part) {
			part = group
		}
	}
	return part, len(part) == len(s)
}

// branches is a part of s whose conjunctions exclude each other by their first
// argument.
func (s Set) branches(index uint) Set {
	var group Set
	for _, c := range s {
		if c[0].Index == index && !slices.ContainsFunc(group, func(d Conj) bool { return !together(c, d) }) {
			group = append(group, c)
		}
	}
	return group
}

// together says whether two conjunctions can be rules of one call: they exclude
// each other, and only where both compare their first argument for equality do
// they look at others. Two that compare for order can come out wider.
func together(c, d Conj) bool {
	x, y := c[0], d[0]
	if !disjoint(x, y) || x.ordered() && y.ordered() || x.ordered() && y.Op == Masked || y.ordered() && x.Op == Masked {
		return false
	}
	return len(c) == 1 && len(d) == 1 || x.Op == EQ && y.Op == EQ
}

func (c Cond) ordered() bool { return c.Op != EQ && c.Op != Masked }

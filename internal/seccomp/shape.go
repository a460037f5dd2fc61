package seccomp

import "slices"

// maxBlocks is the largest set that is written in blocks. Every one is a rule,
// and the kernel goes through them one after the other.
const maxBlocks = 192

// sound is s in conditions that libseccomp compiles to what they say. exact is
// false where something had to be left out.
//
// Alone, a conjunction may be of any kind. internal/seccomp/proof shows what
// libseccomp 2.5.4 makes of other conditions: those that are not faithful came out
// wider or narrower than their text.
func (s Set) sound() (part Set, exact bool) {
	switch {
	case s.Always():
		return Always(), true
	case len(s) <= 1 || s.faithful():
		return s, true
	}
	if plain, ok := s.inBlocks(); ok {
		return plain, true
	}
	part = s[:1]
	for index := range uint(6) {
		if group := s.branches(index); len(group) > len(part) {
			part = group
		}
	}
	return part, len(part) == len(s)
}

// faithful is true where libseccomp compiles the rules of one call to what they
// say, whichever of them overlap: they test for equality and masks alone; or
// each tests one argument, and for order only against numbers of 32 bits; or
// they exclude each other.
func (s Set) faithful() bool {
	return !slices.ContainsFunc(s, func(c Conj) bool { return !c.plain() }) ||
		!slices.ContainsFunc(s, func(c Conj) bool { return len(c) != 1 || !c[0].short() }) ||
		len(s[0]) > 0 && len(s.branches(s[0][0].Index)) == len(s)
}

// branched is true where all rules compare one argument with numbers, and those that
// are about one number alone look at one more argument, against one number: of the two
// one is for equal and one for unequal, or only one is there. This is how CRI-O and Podman
// tell AF_NETLINK's protocols apart. libseccomp makes it a list of comparisons of the
// first argument, each with what follows below it.
func (s Set) branched() bool {
	index, below := s[0][0].Index, map[uint64]Cond{}
	equal := func(c Cond) bool { return (c.Op == EQ || c.Op == NE) && c.Value>>32 == 0 }
	for _, c := range s {
		if len(c) > 2 || c[0].Index != index || !equal(c[0]) {
			return false
		}
		if len(c) == 1 {
			continue
		}
		first, then := c[0], c[1]
		if first.Op != EQ || !equal(then) {
			return false
		}
		if had, ok := below[first.Value]; ok && (had.Index != then.Index || had.Value != then.Value) {
			return false
		}
		below[first.Value] = then
	}
	return !slices.ContainsFunc(s, func(c Conj) bool {
		_, deeper := below[c[0].Value]
		return len(c) == 1 && c[0].Op == EQ && deeper
	})
}

// plain is true where no argument is compared for order or inequality.
func (c Conj) plain() bool {
	return !slices.ContainsFunc(c, Cond.ordered)
}

// short is true where a comparison for order looks at 32 bits alone.
func (c Cond) short() bool {
	return c.Op == EQ || c.Op == NE || c.Op == Masked || c.Value>>32 == 0
}

// inBlocks is s with conditions on equality and masks alone.
func (s Set) inBlocks() (Set, bool) {
	var out Set
	for _, c := range s {
		parts := Set{nil}
		for _, x := range c {
			values := []Cond{x}
			if x.ordered() {
				values = x.blocks()
			}
			if len(parts)*len(values) > maxBlocks {
				return nil, false
			}
			parts = parts.times(values)
		}
		if out = append(out, parts...); len(out) > maxBlocks {
			return nil, false
		}
	}
	return out.normal(), true
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

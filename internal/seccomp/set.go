package seccomp

import (
	"cmp"
	"slices"
	"strings"
)

// Conj is a conjunction: every condition holds. Sorted by index, one condition
// for each. The empty one always holds.
type Conj []Cond

// Set is a disjunction: the arguments that any of its conjunctions admits. The
// empty one admits none.
type Set []Conj

// maxSet is the largest Set that is worked with. What goes beyond is left out,
// which denies.
const maxSet = 512

// all is what Always returns. It is never changed: nobody appends to a set that
// admits everything.
var all = Set{nil}

// Always admits all arguments.
func Always() Set { return all }

// Always is true where surely all arguments are admitted.
func (s Set) Always() bool {
	return slices.ContainsFunc(s, func(c Conj) bool { return len(c) == 0 })
}

// Holds says whether the arguments are in the set.
func (s Set) Holds(args [6]uint64) bool {
	return slices.ContainsFunc(s, func(c Conj) bool { return c.Holds(args) })
}

// Holds says whether the arguments meet every condition.
func (c Conj) Holds(args [6]uint64) bool {
	return !slices.ContainsFunc(c, func(x Cond) bool { return !x.Holds(args[x.Index]) })
}

func (c Conj) at(index uint) (Cond, bool) {
	for _, x := range c {
		if x.Index == index {
			return x, true
		}
	}
	return Cond{}, false
}

func (c Conj) String() string {
	var parts []string
	for _, x := range c {
		parts = append(parts, x.String())
	}
	return strings.Join(parts, " ")
}

// outcome of meeting two conditions.
type outcome uint8

const (
	met    outcome = iota
	empty          // no argument meets both
	beyond         // some may, and no single condition says which
)

// meet is the one condition that holds where both do, where there is one.
func meet(a, b Cond) (Cond, outcome) {
	switch {
	case disjoint(a, b):
		return a, empty
	case implies(a, b):
		return a, met
	case implies(b, a):
		return b, met
	}
	if a.Op == Masked && b.Op == Masked {
		return Cond{a.Index, Masked, a.Value | b.Value, a.Mask | b.Mask}, met
	}
	if a.Op == NE {
		a, b = b, a
	}
	if b.Op == NE {
		return without(a, b.Value)
	}
	alo, ahi, awhole, _ := a.bounds()
	blo, bhi, bwhole, _ := b.bounds()
	if lo, hi := max(alo, blo), min(ahi, bhi); awhole && bwhole && lo == hi {
		return Cond{Index: a.Index, Op: EQ, Value: lo}, met
	}
	return a, beyond
}

// without is c less one value.
func without(c Cond, value uint64) (Cond, outcome) {
	lo, hi, whole, _ := c.bounds()
	switch {
	case !whole || lo == hi:
		return c, beyond
	case lo == 0 && value == hi:
		return Cond{Index: c.Index, Op: LT, Value: hi}, met
	case lo != 0 && value == lo:
		return Cond{Index: c.Index, Op: GT, Value: lo}, met
	}
	return c, beyond
}

// and is the conjunction of both. ok is false where it cannot be written down;
// a nil result with ok admits nothing.
func (c Conj) and(d Conj) (both Conj, some, exact bool) {
	both = make(Conj, 0, len(c)+len(d))
	i, j := 0, 0
	for i < len(c) || j < len(d) {
		switch {
		case j == len(d) || i < len(c) && c[i].Index < d[j].Index:
			both = append(both, c[i])
			i++
		case i == len(c) || d[j].Index < c[i].Index:
			both = append(both, d[j])
			j++
		default:
			m, how := meet(c[i], d[j])
			if how != met {
				return nil, false, how == empty
			}
			both = append(both, m)
			i, j = i+1, j+1
		}
	}
	return both, true, true
}

// and is what both sets admit. exact is false where something had to be left
// out.
func (s Set) and(t Set) (both Set, exact bool) {
	exact = true
	switch {
	case len(s) == 0 || len(t) == 0:
		return nil, true
	case s.Always() && t.Always():
		return all, true
	case t.Always():
		return slices.Clone(s).normal(), true
	case s.Always():
		return slices.Clone(t).normal(), true
	}
	for _, c := range s {
		for _, d := range t {
			m, some, ok := c.and(d)
			exact = exact && ok
			if some {
				both = append(both, m)
			}
		}
		if len(both) > maxSet {
			return both[:maxSet].normal(), false
		}
	}
	return both.normal(), exact
}

// less takes away what meets every condition of c. exact is false where more
// had to go.
func (s Set) less(c Conj) (rest Set, exact bool) {
	exact = true
	var not Set
	for _, x := range c {
		if inv, ok := x.inverse(); ok {
			not = append(not, Conj{inv})
		} else {
			exact = false
		}
	}
	rest, ok := s.and(not)
	return rest, exact && ok
}

// normal sorts, and leaves out what another conjunction admits already.
func (s Set) normal() Set {
	if len(s) <= 1 {
		return s
	}
	slices.SortFunc(s, compareConj)
	var out Set
	for i, c := range s {
		covered := false
		for j, d := range s {
			if i != j && c.within(d) && (!d.within(c) || j < i) {
				covered = true
				break
			}
		}
		if !covered {
			out = append(out, c)
		}
	}
	return out
}

// within is true where surely d admits whatever c does.
func (c Conj) within(d Conj) bool {
	for _, y := range d {
		x, ok := c.at(y.Index)
		if !ok || !implies(x, y) {
			return false
		}
	}
	return true
}

func compareConj(a, b Conj) int {
	return slices.CompareFunc(a, b, func(x, y Cond) int {
		return cmp.Or(cmp.Compare(x.Index, y.Index), cmp.Compare(x.Op, y.Op), cmp.Compare(x.Mask, y.Mask), cmp.Compare(x.Value, y.Value))
	})
}

func (s Set) String() string {
	if s.Always() {
		return "always"
	}
	var parts []string
	for _, c := range s {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, " or ")
}

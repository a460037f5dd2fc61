package seccomp

import (
	"cmp"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Conj is a conjunction: every condition holds. Sorted by index, one condition
// for each. The empty one always holds.
type Conj []Cond

// Set is a disjunction: the arguments that any of its conjunctions admits. The
// empty one admits none.
type Set []Conj

// maxSet is the largest Set that is worked with. Conditions beyond it are left out,
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

// Args are the conjunctions as a spec has them, a rule's arguments for each.
func (s Set) Args() [][]specs.LinuxSeccompArg {
	all := make([][]specs.LinuxSeccompArg, 0, len(s))
	for _, c := range s {
		var args []specs.LinuxSeccompArg
		for _, x := range c {
			args = append(args, x.spec())
		}
		all = append(all, args)
	}
	return all
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

// and is what both conjunctions admit: nothing, one, or several where an
// argument's values are no single condition.
func (c Conj) and(d Conj) Set {
	both := Set{make(Conj, 0, len(c)+len(d))}
	i, j := 0, 0
	for i < len(c) || j < len(d) {
		switch {
		case j == len(d) || i < len(c) && c[i].Index < d[j].Index:
			both.extend(c[i])
			i++
		case i == len(c) || d[j].Index < c[i].Index:
			both.extend(d[j])
			j++
		default:
			values := meet(c[i], d[j])
			if len(values) == 0 {
				return nil
			}
			both = both.times(values)
			i, j = i+1, j+1
		}
	}
	return both
}

// extend adds a condition to every conjunction.
func (s Set) extend(c Cond) {
	for i := range s {
		s[i] = append(s[i], c)
	}
}

// times is s with one of the conditions added to each conjunction.
func (s Set) times(values []Cond) Set {
	if len(values) == 1 {
		s.extend(values[0])
		return s
	}
	out := make(Set, 0, len(s)*len(values))
	for _, c := range s {
		for _, v := range values {
			out = append(out, append(slices.Clone(c), v))
		}
	}
	return out
}

// and is what both sets admit. exact is false where something had to be left
// out.
func (s Set) and(t Set) (both Set, exact bool) {
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
			both = append(both, c.and(d)...)
		}
		if len(both) > maxSet {
			return both[:maxSet].normal(), false
		}
	}
	return both.normal(), true
}

// less takes away what meets every condition of c. exact is false where more
// had to go.
func (s Set) less(c Conj) (rest Set, exact bool) {
	var kept, touched, not Set
	for _, d := range s {
		if d.apart(c) {
			kept = append(kept, d)
		} else {
			touched = append(touched, d)
		}
	}
	if len(touched) == 0 {
		return s, true
	}
	for _, x := range c {
		for _, inverse := range x.inverse() {
			not = append(not, Conj{inverse})
		}
	}
	rest, exact = touched.and(not)
	return append(kept, rest...).normal(), exact
}

// apart is true where surely no arguments meet both.
func (c Conj) apart(d Conj) bool {
	for _, y := range d {
		if x, ok := c.at(y.Index); ok && disjoint(x, y) {
			return true
		}
	}
	return false
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
			if i != j && c.inside(d) && (!d.inside(c) || j < i) {
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

// inside is true where surely d admits whatever c does.
func (c Conj) inside(d Conj) bool {
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

package guard

import (
	"math"
	"slices"
)

// test is a condition on one argument, as the spec writes it.
type test struct {
	Index    uint   `json:"index"`
	Value    uint64 `json:"value"`
	ValueTwo uint64 `json:"valueTwo"`
	Op       string `json:"op"`
}

const (
	eq     = "SCMP_CMP_EQ"
	ne     = "SCMP_CMP_NE"
	masked = "SCMP_CMP_MASKED_EQ" // (argument & value) == valueTwo
)

func wellKnown(args []test) bool {
	return !slices.ContainsFunc(args, func(t test) bool {
		switch t.Op {
		case eq, ne, masked, "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_GE", "SCMP_CMP_GT":
			return t.Index > 5
		}
		return true
	})
}

// span is the least and the greatest argument that can pass; none is true where
// no argument can.
func (t test) span() (lo, hi uint64, none bool) {
	switch t.Op {
	case eq:
		return t.Value, t.Value, false
	case "SCMP_CMP_LT":
		return 0, t.Value - 1, t.Value == 0
	case "SCMP_CMP_LE":
		return 0, t.Value, false
	case "SCMP_CMP_GE":
		return t.Value, math.MaxUint64, false
	case "SCMP_CMP_GT":
		return t.Value + 1, math.MaxUint64, t.Value == math.MaxUint64
	case masked: // bits outside the mask are dropped when it is compiled
		return t.ValueTwo & t.Value, t.ValueTwo | ^t.Value, false
	}
	return 0, math.MaxUint64, false
}

func (t test) passes(arg uint64) bool {
	if t.Op == ne {
		return arg != t.Value
	}
	if t.Op == masked {
		return arg&t.Value == t.ValueTwo
	}
	lo, hi, none := t.span()
	return !none && lo <= arg && arg <= hi
}

// exclusive is true where surely no argument passes both.
func exclusive(a, b test) bool {
	alo, ahi, anone := a.span()
	blo, bhi, bnone := b.span()
	switch {
	case anone || bnone, ahi < blo, bhi < alo:
		return true
	case a.Op == masked && b.Op == masked:
		return (a.ValueTwo^b.ValueTwo)&a.Value&b.Value != 0
	case a.Op == eq && b.Op == masked:
		return a.Value&b.Value != b.ValueTwo&b.Value
	case a.Op == masked && b.Op == eq:
		return exclusive(b, a)
	case a.Op == eq && b.Op == ne, a.Op == ne && b.Op == eq:
		return a.Value == b.Value
	}
	return false
}

// entails is true where surely every argument that passes a passes b.
func entails(a, b test) bool {
	if a == b {
		return true
	}
	alo, ahi, anone := a.span()
	blo, bhi, bnone := b.span()
	switch {
	case anone:
		return true
	case bnone:
		return false
	case b.Op == ne:
		return exclusive(a, test{Index: b.Index, Op: eq, Value: b.Value})
	case b.Op == masked && a.Op == masked:
		return b.Value&^a.Value == 0 && a.ValueTwo&b.Value == b.ValueTwo && a.ValueTwo&^a.Value == 0
	case b.Op == masked:
		return alo == ahi && a.Op != ne && b.passes(alo)
	case a.Op == ne:
		return false
	}
	return blo <= alo && ahi <= bhi
}

func on(tests []test, index uint) (test, bool) {
	i := slices.IndexFunc(tests, func(t test) bool { return t.Index == index })
	if i < 0 {
		return test{}, false
	}
	return tests[i], true
}

// within is true where surely all that passes a passes b.
func within(a, b []test) bool {
	for _, t := range b {
		if s, ok := on(a, t.Index); !ok || !entails(s, t) {
			return false
		}
	}
	return true
}

// apart is true where surely nothing passes both.
func apart(a, b []test) bool {
	for _, t := range b {
		if s, ok := on(a, t.Index); ok && exclusive(s, t) {
			return true
		}
	}
	return false
}

// most rules of one call that are looked at.
const most = 600

// trusted says whether libseccomp is known to compile the rules of a call to what
// they say. An unconditional one wins over all others. It is known for several with
// conditions if one of these holds. None compares for order or inequality. Or each
// tests one argument, and for order only against 32 bits, whereas those that test
// several compare for equality alone and deny. Or no two may hold at once, because
// of the lowest argument, which all of them look at. Or the rules are a fork.
func trusted(rs []ruling, narrow bool) bool {
	var conds [][]test
	equal, single := true, true
	for _, r := range rs {
		if len(r.tests) == 0 {
			return len(rs) == 1 || !slices.ContainsFunc(rs, func(o ruling) bool { return o.answer != r.answer })
		}
		for _, t := range r.tests {
			if t.Op == masked && t.ValueTwo&^t.Value != 0 || narrow && t.wide() {
				return false
			}
		}
		same := !slices.ContainsFunc(r.tests, func(t test) bool { return t.Op != eq && t.Op != masked })
		equal = equal && same
		if len(r.tests) == 1 {
			t := r.tests[0]
			single = single && (same || t.Op == ne || t.Value>>32 == 0)
		} else {
			single = single && same && r.rank < logged
		}
		conds = append(conds, r.tests)
	}
	switch {
	case len(conds) > most:
		return false
	case equal, single, forked(conds):
		return true
	}
	for i, c := range conds {
		for _, d := range conds[:i] {
			if !switched(c, d) {
				return false
			}
		}
	}
	return true
}

// forked says whether the rules are a fork of one argument: each compares it with a
// number of 32 bits, and what goes on behind a number is one comparison of another
// argument, with one number for all that go on there. No rule ends where another goes on.
func forked(conds [][]test) bool {
	number := func(t test) bool { return (t.Op == eq || t.Op == ne) && t.Value>>32 == 0 }
	ends, goesOn := map[uint64]bool{}, map[uint64]test{}
	for _, c := range conds {
		first := lowest(c)
		if first.Index != lowest(conds[0]).Index || !number(first) || len(c) > 2 {
			return false
		}
		if len(c) == 1 {
			ends[first.Value] = ends[first.Value] || first.Op == eq
			continue
		}
		then := c[0]
		if then == first {
			then = c[1]
		}
		then.ValueTwo = 0
		had, again := goesOn[first.Value]
		if first.Op != eq || !number(then) || then.Index == first.Index || again && (had.Index != then.Index || had.Value != then.Value) {
			return false
		}
		goesOn[first.Value] = then
	}
	for value := range goesOn {
		if ends[value] {
			return false
		}
	}
	return true
}

// wide is true where 32-bit architectures see another value in the test.
func (t test) wide() bool { return t.Op != masked && t.Value>>32 != 0 || t.ValueTwo>>32 != 0 }

func switched(c, d []test) bool {
	a, b := lowest(c), lowest(d)
	equality := func(t test) bool { return t.Op == eq || t.Op == masked }
	switch {
	case slices.Equal(c, d):
		return true
	case a.Index != b.Index || !exclusive(a, b):
		return false
	case len(c) > 1 || len(d) > 1:
		return a.Op == eq && b.Op == eq
	}
	return equality(a) && equality(b) || a.Op == eq || b.Op == eq
}

func lowest(tests []test) test {
	return slices.MinFunc(tests, func(a, b test) int { return int(a.Index) - int(b.Index) })
}

package seccomp

import (
	"fmt"
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Op compares an argument, as an unsigned 64-bit number, with a value.
type Op uint8

// The operators.
const (
	NE Op = iota
	LT
	LE
	EQ
	GE
	GT
	Masked // (argument & Mask) == Value
)

// Cond is a condition on one argument. Mask is 0 except for Masked.
type Cond struct {
	Index uint
	Op    Op
	Value uint64
	Mask  uint64
}

func ops() [7]specs.LinuxSeccompOperator {
	return [7]specs.LinuxSeccompOperator{
		specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
		specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual,
	}
}

func parseCond(a specs.LinuxSeccompArg) (Cond, error) {
	if a.Index > 5 {
		return Cond{}, ErrBadIndex
	}
	for op, name := range ops() {
		if name != a.Op {
			continue
		}
		if Op(op) == Masked {
			return Cond{a.Index, Masked, a.ValueTwo, a.Value}, nil
		}
		return Cond{a.Index, Op(op), a.Value, 0}, nil
	}
	return Cond{}, ErrUnknownOp
}

func (c Cond) spec() specs.LinuxSeccompArg {
	a := specs.LinuxSeccompArg{Index: c.Index, Op: ops()[c.Op], Value: c.Value}
	if c.Op == Masked {
		a.Value, a.ValueTwo = c.Mask, c.Value
	}
	return a
}

// Holds says whether an argument meets the condition.
func (c Cond) Holds(arg uint64) bool {
	switch c.Op {
	case NE:
		return arg != c.Value
	case LT:
		return arg < c.Value
	case LE:
		return arg <= c.Value
	case EQ:
		return arg == c.Value
	case GE:
		return arg >= c.Value
	case GT:
		return arg > c.Value
	}
	return arg&c.Mask == c.Value
}

// bounds is the smallest interval that holds every value of the condition.
// whole is true where each value in it meets the condition; ok is false where
// none does.
func (c Cond) bounds() (lo, hi uint64, whole, ok bool) {
	switch c.Op {
	case LT:
		return 0, c.Value - 1, true, c.Value > 0
	case LE:
		return 0, c.Value, true, true
	case EQ:
		return c.Value, c.Value, true, true
	case GE:
		return c.Value, math.MaxUint64, true, true
	case GT:
		return c.Value + 1, math.MaxUint64, true, c.Value < math.MaxUint64
	case NE:
		return 0, math.MaxUint64, false, true
	}
	return c.Value, c.Value | ^c.Mask, c.Mask == math.MaxUint64, c.Value&^c.Mask == 0
}

// disjoint is true where surely no argument meets both.
func disjoint(a, b Cond) bool {
	if a.Op == EQ {
		a, b = b, a
	}
	if b.Op == EQ {
		return !a.Holds(b.Value)
	}
	alo, ahi, _, aok := a.bounds()
	blo, bhi, _, bok := b.bounds()
	if !aok || !bok || ahi < blo || bhi < alo {
		return true
	}
	return a.Op == Masked && b.Op == Masked && (a.Value^b.Value)&a.Mask&b.Mask != 0
}

// implies is true where surely each argument that meets a meets b.
func implies(a, b Cond) bool {
	if a == b {
		return true
	}
	alo, ahi, _, aok := a.bounds()
	if !aok {
		return true
	}
	switch b.Op {
	case NE:
		return disjoint(a, Cond{Index: b.Index, Op: EQ, Value: b.Value})
	case Masked:
		if a.Op == EQ {
			return b.Holds(a.Value)
		}
		return a.Op == Masked && b.Mask&^a.Mask == 0 && a.Value&b.Mask == b.Value
	}
	blo, bhi, _, bok := b.bounds()
	return bok && a.Op != NE && alo >= blo && ahi <= bhi
}

// inverse are conditions of which one holds exactly where c does not, and never
// two.
func (c Cond) inverse() []Cond {
	switch c.Op {
	case NE:
		c.Op = EQ
	case EQ:
		c.Op = NE
	case LT:
		c.Op = GE
	case GE:
		c.Op = LT
	case LE:
		c.Op = GT
	case GT:
		c.Op = LE
	default:
		return flips(c.Index, c.Mask, c.Value)
	}
	return []Cond{c}
}

func (c Cond) String() string {
	if c.Op == Masked {
		return fmt.Sprintf("arg%d&%#x==%#x", c.Index, c.Mask, c.Value)
	}
	return fmt.Sprintf("arg%d%s%#x", c.Index, [...]string{"!=", "<", "<=", "==", ">=", ">"}[c.Op], c.Value)
}

package seccomp

import (
	"math"
	"math/bits"
)

// The values of one argument as conditions that exclude each other. The operators
// always describe a union of blocks of an argument: values that agree in the bits
// of a mask.

type interval struct{ lo, hi uint64 }

// intervals are the values of a condition that is not Masked.
func (c Cond) intervals() []interval {
	if c.Op == NE {
		below, above := Cond{Op: LT, Value: c.Value}, Cond{Op: GT, Value: c.Value}
		return append(below.intervals(), above.intervals()...)
	}
	lo, hi, _, ok := c.bounds()
	if !ok {
		return nil
	}
	return []interval{{lo, hi}}
}

// meet are conditions of which one holds exactly where a and b do, and never
// two.
func meet(a, b Cond) []Cond {
	switch {
	case disjoint(a, b):
		return nil
	case implies(a, b):
		return []Cond{a}
	case implies(b, a):
		return []Cond{b}
	}
	var out []Cond
	if a.Op == Masked || b.Op == Masked {
		for _, x := range a.blocks() {
			for _, y := range b.blocks() {
				if (x.Value^y.Value)&x.Mask&y.Mask == 0 {
					out = append(out, block(a.Index, x.Mask|y.Mask, x.Value|y.Value))
				}
			}
		}
		return out
	}
	for _, x := range a.intervals() {
		for _, y := range b.intervals() {
			if lo, hi := max(x.lo, y.lo), min(x.hi, y.hi); lo <= hi {
				out = append(out, within(a.Index, lo, hi)...)
			}
		}
	}
	return out
}

// within are the values from lo to hi, in one condition where that is possible.
func within(index uint, lo, hi uint64) []Cond {
	switch {
	case lo == hi:
		return []Cond{{Index: index, Op: EQ, Value: lo}}
	case lo == 0:
		return []Cond{{Index: index, Op: LE, Value: hi}}
	case hi == math.MaxUint64:
		return []Cond{{Index: index, Op: GE, Value: lo}}
	}
	return cover(index, lo, hi)
}

// cover are the largest blocks that make up the values from lo to hi.
func cover(index uint, lo, hi uint64) []Cond {
	var out []Cond
	for {
		size := 64
		if lo != 0 {
			size = bits.TrailingZeros64(lo)
		}
		for size > 0 && (size == 64 && hi != math.MaxUint64 || size < 64 && hi-lo < 1<<size-1) {
			size--
		}
		low := ^uint64(0)
		if size < 64 {
			low = 1<<size - 1
		}
		out = append(out, block(index, ^low, lo))
		if lo|low == hi {
			return out
		}
		lo += low + 1
	}
}

// block is the condition that the bits of mask are those of value.
func block(index uint, mask, value uint64) Cond {
	if mask == math.MaxUint64 {
		return Cond{Index: index, Op: EQ, Value: value}
	}
	return Cond{Index: index, Op: Masked, Value: value, Mask: mask}
}

// blocks are the values of c. Value counts for EQ as for a mask of all bits.
func (c Cond) blocks() []Cond {
	switch c.Op {
	case EQ:
		return []Cond{{Index: c.Index, Op: Masked, Value: c.Value, Mask: math.MaxUint64}}
	case Masked:
		return []Cond{c}
	case NE:
		return flips(c.Index, math.MaxUint64, c.Value)
	}
	var out []Cond
	for _, x := range c.intervals() {
		out = append(out, cover(c.Index, x.lo, x.hi)...)
	}
	for i, b := range out {
		if b.Op == EQ {
			out[i] = b.blocks()[0]
		}
	}
	return out
}

// flips are the values that differ from value in a bit of mask: for each bit
// those that agree above it and differ there.
func flips(index uint, mask, value uint64) []Cond {
	var out []Cond
	above := uint64(0)
	for bit := uint64(1) << 63; bit != 0; bit >>= 1 {
		if mask&bit == 0 {
			continue
		}
		out = append(out, Cond{Index: index, Op: Masked, Mask: above | bit, Value: value&above | ^value&bit})
		above |= bit
	}
	return out
}

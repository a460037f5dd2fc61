package host

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// IDUnit is what ranges of ids are counted in.
const IDUnit = 1 << 16

// IDRange is a run of host ids that the ids of a container stand for: its ids
// from 0 on for the first of them, and the units of High, in their order, for
// the last of them.
type IDRange struct {
	Base uint32 `json:"base"`
	Size uint32 `json:"size"`
	// High are runs of IDUnit ids that the container has above those from 0 on,
	// by their first id divided by IDUnit, from low to high. 0 ends the list.
	High [15]uint16 `json:"high,omitzero"`
}

// Empty reports whether there is none.
func (r IDRange) Empty() bool { return r.Size == 0 }

func (r IDRange) high() []uint16 {
	if i := slices.Index(r.High[:], 0); i >= 0 {
		return r.High[:i]
	}
	return r.High[:]
}

// Low is how many ids the container has from 0 on.
func (r IDRange) Low() uint32 {
	above := uint32(len(r.high())) * IDUnit
	return r.Size - min(above, r.Size)
}

// Lines is the mapping, as a user namespace has it.
func (r IDRange) Lines() []IDMap {
	if r.Empty() {
		return nil
	}
	at := r.Low()
	all := []IDMap{{0, r.Base, at}}
	for _, unit := range r.high() {
		first := uint32(unit) * IDUnit
		all = append(all, IDMap{first, r.Base + at, min(IDUnit, math.MaxUint32-first)}) // 4294967295 stands for none
		at += IDUnit
	}
	return all
}

// Outside is the host's id of one of the container. ok is false where the
// container does not have it.
func (r IDRange) Outside(id uint32) (host uint32, ok bool) {
	for _, l := range r.Lines() {
		if id >= l.Inside && id-l.Inside < l.Size {
			return l.Outside + (id - l.Inside), true
		}
	}
	return 0, false
}

// Covers reports whether the container has the id.
func (r IDRange) Covers(id uint32) bool {
	_, ok := r.Outside(id)
	return ok
}

// Inside says which ids the container has.
func (r IDRange) Inside() string {
	var all []string
	for _, l := range r.Lines() {
		all = append(all, fmt.Sprintf("%d to %d", l.Inside, l.Inside+l.Size-1))
	}
	return strings.Join(all, ", ")
}

// With is a range that has the id as well, one unit larger where it had not. It
// is the same where there is no such id, or no room for it.
func (r IDRange) With(id uint32) IDRange {
	high := r.high()
	if r.Covers(id) || id == math.MaxUint32 || len(high) == len(r.High) || uint64(r.Size)+IDUnit > math.MaxUint32 {
		return r
	}
	all := append(slices.Clone(high), uint16(id/IDUnit))
	slices.Sort(all)
	copy(r.High[:], all)
	r.Size += IDUnit
	return r
}

// rangeOf is the range that has these lines. ok is false where none has.
func rangeOf(lines []IDMap) (IDRange, bool) {
	var r IDRange
	if len(lines) == 0 || len(lines) > 1+len(r.High) || lines[0].Inside != 0 {
		return IDRange{}, false
	}
	r.Base, r.Size = lines[0].Outside, lines[0].Size
	for i, l := range lines[1:] {
		r.High[i] = uint16(l.Inside / IDUnit)
		r.Size += IDUnit
	}
	if !slices.Equal(r.Lines(), lines) || len(lines) > 1 && r.Low()%IDUnit != 0 {
		return IDRange{}, false
	}
	return r, true
}

package idrange

import (
	"errors"
	"slices"

	"github.com/hatchdog/hatchdog/internal/host"
)

// free finds a range. The dead are looked for when the ranges have doubled since
// that was done, and when there is no room: a look at every holder, or at the
// processes of the host, is never the price of one create.
func (s Store) free(st *state, want host.IDRange) (host.IDRange, error) {
	if want.Size == 0 || want.Size%Size != 0 {
		return host.IDRange{}, errUnits
	}
	pool, err := s.pool()
	if err != nil {
		return host.IDRange{}, err
	}
	users, err := s.taken()
	if err != nil {
		return host.IDRange{}, err
	}
	if st.Lost {
		if err := s.find(st, pool); err != nil {
			return host.IDRange{}, err
		}
	}
	swept := len(st.Ranges) > 2*st.Swept+enough
	if swept {
		if err := s.reclaim(st); err != nil {
			return host.IDRange{}, err
		}
	}
	want.Base, err = pool.lowest(st, want.Size, users)
	var full *Exhausted
	if errors.As(err, &full) && !swept {
		if err := s.reclaim(st); err != nil {
			return host.IDRange{}, err
		}
		want.Base, err = pool.lowest(st, want.Size, users)
	}
	return want, err
}

// enough is how many ranges may be held before the dead are looked for.
const enough = 64

var errUnits = errors.New("ids: not a multiple of 65536 ids")

// reclaim drops the holders that live no more. A range in which a process is
// left stays theirs.
func (s Store) reclaim(st *state) error {
	var dead []span
	for i := range st.Ranges {
		r := &st.Ranges[i]
		r.look()
		alive := slices.DeleteFunc(slices.Clone(r.Holders), func(h Holder) bool { return !s.Lives(h) })
		if len(alive) > 0 {
			r.Holders = alive
			continue
		}
		dead = append(dead, r.span())
	}
	if len(dead) > 0 {
		used, err := s.mapped()
		if err != nil {
			return err
		}
		st.Ranges = slices.DeleteFunc(st.Ranges, func(r Range) bool {
			return slices.Contains(dead, r.span()) && !slices.ContainsFunc(used, r.span().overlaps)
		})
	}
	st.Swept = len(st.Ranges)
	return nil
}

// find notes the units of the pool that processes live in, when the file that
// said who holds them is gone. From then on the file is whole again.
func (s Store) find(st *state, p pool) error {
	used, err := s.mapped()
	if err != nil {
		return err
	}
	known, units := p.units(), p.units()
	for _, r := range st.Ranges {
		p.mark(known, r.span())
	}
	for _, ids := range used {
		p.mark(units, ids)
	}
	for i := range units {
		if units[i] > known[i] {
			st.Ranges = append(st.Ranges, Range{IDRange: host.IDRange{Base: uint32(p.first) + uint32(i)*Size, Size: Size}})
		}
	}
	st.Lost = false
	return nil
}

//go:build cgo

package proof

import (
	"math/rand/v2"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The values of seccomp_data.arch (linux/audit.h). x32 calls have x86_64's, and
// bit 30 of the number.
const (
	auditX86_64 = 0xc000003e
	auditI386   = 0x40000003
	auditARM64  = 0xc00000b7
	auditARM    = 0x40000028
	x32Bit      = 1 << 30
)

// prober makes calls up: of each architecture, of every number, with arguments
// at and near the values that the filters look at.
type prober struct {
	rng    *rand.Rand
	values []uint64
	masks  []uint64
	hot    []uint32 // numbers of the calls that are judged by argument, and others
	arches []uint32
}

func newProber(rng *rand.Rand, filters ...*specs.LinuxSeccomp) *prober {
	p := &prober{rng: rng, values: []uint64{0, 1, 1<<32 - 1, 1 << 32, 1<<64 - 1}, arches: []uint32{auditX86_64, auditI386, auditARM64, auditARM}}
	names := map[string]bool{}
	for _, f := range filters {
		for _, r := range f.Syscalls {
			for _, a := range r.Args {
				p.values = append(p.values, a.Value, a.ValueTwo)
				if a.Op == specs.OpMaskedEqual {
					p.masks = append(p.masks, a.Value)
				}
			}
			for _, n := range r.Names {
				names[n] = names[n] || len(r.Args) > 0
			}
		}
	}
	for n, byArgument := range names {
		if byArgument {
			p.hot = append(p.hot, numbers(n)...)
		}
	}
	return p
}

func (p *prober) fill(d *data) {
	d.arch = auditX86_64
	if p.rng.IntN(3) == 0 {
		d.arch = p.arches[p.rng.IntN(len(p.arches))]
	}
	switch {
	case len(p.hot) > 0 && p.rng.IntN(3) > 0:
		d.nr = p.hot[p.rng.IntN(len(p.hot))]
	case p.rng.IntN(50) == 0:
		d.nr = p.rng.Uint32()
	default:
		d.nr = uint32(p.rng.IntN(560))
	}
	if d.arch == auditX86_64 && p.rng.IntN(4) == 0 {
		d.nr |= x32Bit
	}
	for i := range d.args {
		d.args[i] = p.value()
		if d.arch == auditI386 || d.arch == auditARM {
			d.args[i] &= 1<<32 - 1 // the kernel extends them with zeros
		}
	}
}

func (p *prober) value() uint64 {
	v := p.values[p.rng.IntN(len(p.values))]
	switch p.rng.IntN(8) {
	case 0:
		return v + 1
	case 1:
		return v - 1
	case 2:
		return v ^ 1<<p.rng.IntN(64)
	case 3:
		return v | uint64(p.rng.Uint32())<<32
	case 4:
		if len(p.masks) > 0 {
			m := p.masks[p.rng.IntN(len(p.masks))]
			return v&m | p.rng.Uint64()&^m
		}
		return p.rng.Uint64() >> p.rng.IntN(64)
	}
	return v
}

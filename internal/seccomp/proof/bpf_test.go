//go:build cgo

package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of classic BPF that libseccomp uses (linux/bpf_common.h), and the
// layout of struct seccomp_data, which is in the byte order of the machine.
const (
	ldAbs = 0x20
	andK  = 0x54
	jmpA  = 0x05
	jeqK  = 0x15
	jgtK  = 0x25
	jgeK  = 0x35
	jsetK = 0x45
	retK  = 0x06
)

type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

type program []instruction

// data is struct seccomp_data without the instruction pointer, as 32-bit words.
type data struct {
	nr, arch uint32
	args     [6]uint64
}

var errProgram = errors.New("not a program of the kind that libseccomp makes")

// decodeProgram reads a program and checks it: no jump leads out of it and no
// load out of the data, so that run needs no checks.
func decodeProgram(raw []byte) (program, error) {
	if len(raw) == 0 || len(raw)%8 != 0 {
		return nil, errProgram
	}
	p := make(program, len(raw)/8)
	for i := range p {
		b := raw[i*8:]
		p[i] = instruction{binary.LittleEndian.Uint16(b), b[2], b[3], binary.LittleEndian.Uint32(b[4:])}
	}
	for i, in := range p {
		far := 0
		switch in.code {
		case ldAbs:
			if in.k >= 64 || in.k%4 != 0 || in.k == 8 || in.k == 12 {
				return nil, fmt.Errorf("%w: load at %d", errProgram, i)
			}
		case andK, retK:
		case jmpA:
			far = int(in.k)
		case jeqK, jgtK, jgeK, jsetK:
			far = max(int(in.jt), int(in.jf))
		default:
			return nil, fmt.Errorf("%w: opcode %#x at %d", errProgram, in.code, i)
		}
		if i+1+far > len(p) || in.code != retK && i+1+far == len(p) {
			return nil, fmt.Errorf("%w: jump at %d", errProgram, i)
		}
	}
	return p, nil
}

// run is the kernel's verdict on a call (SECCOMP_RET_*).
func (p program) run(d *data) uint32 {
	a := uint32(0)
	for i := 0; ; i++ {
		in := &p[i]
		switch in.code {
		case ldAbs:
			a = d.word(in.k)
		case andK:
			a &= in.k
		case jmpA:
			i += int(in.k)
		case retK:
			return in.k
		default:
			if in.test(a) {
				i += int(in.jt)
			} else {
				i += int(in.jf)
			}
		}
	}
}

func (in *instruction) test(a uint32) bool {
	switch in.code {
	case jeqK:
		return a == in.k
	case jgtK:
		return a > in.k
	case jgeK:
		return a >= in.k
	}
	return a&in.k != 0
}

// word is the 32 bits at an offset, on a little-endian machine.
func (d *data) word(off uint32) uint32 {
	switch {
	case off == 0:
		return d.nr
	case off == 4:
		return d.arch
	case off >= 16:
		v := d.args[(off-16)/8]
		if off%8 != 0 {
			v >>= 32
		}
		return uint32(v)
	}
	return 0
}

// executes is true where the kernel makes the call.
func executes(ret uint32) bool {
	switch ret & 0xffff0000 {
	case 0x7fff0000, 0x7ffc0000: // SECCOMP_RET_ALLOW, SECCOMP_RET_LOG
		return true
	}
	return false
}

//go:build cgo

package proof

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/seccomp"
)

func bound(rng *rand.Rand) uint64 {
	if rng.IntN(4) == 0 {
		return uint64(rng.Uint32())
	}
	return uint64(rng.IntN(50))
}

// intervalRules are conditions of every operator on one argument each, or of
// equality and masks on several, as real filters have them.
func intervalRules(rng *rand.Rand) (out []specs.LinuxSyscall) {
	several := rng.IntN(3) == 0
	for range 1 + rng.IntN(5) {
		r := specs.LinuxSyscall{Names: []string{"read"}, Action: specs.ActAllow}
		for _, index := range rng.Perm(3)[:1+rng.IntN(3)] {
			if !several {
				index = 0
			}
			a := specs.LinuxSeccompArg{Index: uint(index), Op: operatorNames[rng.IntN(len(operatorNames))], Value: bound(rng)}
			if several {
				a.Op = operatorNames[rng.IntN(2)]
			}
			if a.Op == specs.OpMaskedEqual {
				a.ValueTwo = bound(rng) & a.Value
			}
			r.Args = append(r.Args, a)
			if !several {
				break
			}
		}
		out = append(out, r)
	}
	return out
}

func intervalTable(rng *rand.Rand) string {
	var b strings.Builder
	index := 0
	for range 1 + rng.IntN(3) {
		switch op := []string{"<", "<=", ">=", ">", "!=", "==", "&"}[rng.IntN(7)]; op {
		case "&":
			mask := bound(rng)
			fmt.Fprintf(&b, "allow arg%d&%#x==%#x: read\n", index, mask, bound(rng)&mask)
		default:
			fmt.Fprintf(&b, "allow arg%d%s%#x: read\n", index, op, bound(rng))
		}
	}
	return b.String()
}

// Where nothing is lost, the result allows exactly what both allow, as compiled;
// and for what real filters are made of hardly anything is lost.
func TestIntervalsMeetExactly(t *testing.T) {
	rng, c := seeded(t), newCompiler(t)
	const each = 400
	total, lossy, allowed := 0, 0, 0
	w := seccomp.Wish{Native: specs.ArchX86_64}
	for total < budget(t, 600_000) {
		total += each
		in := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: intervalRules(rng)}
		table, err := seccomp.ParseTable("made up", intervalTable(rng))
		if err != nil {
			t.Fatal(err)
		}
		f, err := seccomp.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(seccomp.Intersect(f, table.Resolve(w), w).Lost) > 0 {
			lossy++
			continue
		}
		x := cut(t, in, table, w)
		if x == nil {
			lossy++
			continue
		}
		if err := x.compile(t, c); err != nil {
			t.Fatal(err)
		}
		p := newProber(rng, x.specs[:]...)
		for range each {
			d := data{nr: nrRead, arch: auditX86_64}
			for i := range d.args {
				d.args[i] = p.value()
			}
			both := executes(x.programs[0].run(&d)) && executes(x.programs[1].run(&d))
			if both {
				allowed++
			}
			if got := executes(x.programs[2].run(&d)); got != both {
				t.Fatalf("%#x: both allow it %v, the result %v\n%s\n%s", d.args, both, got, document(t, in), document(t, x.specs[2]))
			}
		}
	}
	t.Logf("%d calls probed, %d allowed, %d of %d filters lose something", total, allowed, lossy, total/each)
	if allowed < total/20 || lossy > total/each/5 {
		t.Error("this proves little")
	}
}

//go:build cgo

package proof

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// probesEnv is how many calls are probed in all; `make fuzz` sets it.
const probesEnv = "HATCHDOG_PROBES"

func budget(t testing.TB, usual int) int {
	if text := os.Getenv(probesEnv); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", probesEnv, err)
		}
		return n
	}
	return usual
}

// seeded draws anew in each `make fuzz`, and the same in each `make test`: what
// fails there is a change of ours.
func seeded(t testing.TB) *rand.Rand {
	seed := uint64(1)
	if os.Getenv(probesEnv) != "" {
		seed = rand.Uint64()
	}
	if text := os.Getenv("HATCHDOG_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HATCHDOG_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// dockers are the filters of real specs, each once.
func dockers(t testing.TB) map[string]*specs.LinuxSeccomp {
	t.Helper()
	files, err := filepath.Glob("../../../integration/testdata/specs/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("captured specs are missing", err)
	}
	out := map[string]*specs.LinuxSeccomp{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var s specs.Spec
		if strings.Contains(f, "exec") || json.Unmarshal(raw, &s) != nil || s.Linux == nil || s.Linux.Seccomp == nil {
			continue
		}
		known := false
		for _, have := range out {
			known = known || reflect.DeepEqual(have, s.Linux.Seccomp)
		}
		if !known {
			out[filepath.Base(f)] = s.Linux.Seccomp
		}
	}
	if len(out) < 4 {
		t.Fatalf("only %d filters", len(out))
	}
	return out
}

// trio is what is compared: the spec's filter, the table alone, and the result.
type trio struct {
	specs    [3]*specs.LinuxSeccomp
	programs [3]program
}

// cut makes the three of a filter, and has the guard look at the result.
func cut(t testing.TB, in *specs.LinuxSeccomp, table *seccomp.Table, w seccomp.Wish) *trio {
	t.Helper()
	f, err := seccomp.Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	g := table.Resolve(w)
	out := seccomp.Intersect(f, g, w).Spec
	before, after := document(t, in), document(t, out)
	if err := guard.Check(before, after, guard.Evidence{}); err != nil {
		t.Errorf("the guard refuses a result: %v\n%s\n%s", err, before, after)
	}
	alone := w
	alone.Arches = out.Architectures[1:] // the first is the native one
	whole := seccomp.Intersect(nil, g, alone)
	if len(whole.Lost) > 0 {
		return nil // the table itself does not compile to what it says
	}
	return &trio{specs: [3]*specs.LinuxSeccomp{in, whole.Spec, out}}
}

func document(t testing.TB, s *specs.LinuxSeccomp) []byte {
	raw, err := json.Marshal(specs.Spec{Linux: &specs.Linux{Seccomp: s}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// compile fails only for the spec's own filter, which libseccomp may refuse.
func (x *trio) compile(t testing.TB, c *compiler) error {
	t.Helper()
	for i, s := range x.specs {
		var err error
		if x.programs[i], err = c.compile(s); err != nil {
			if i > 0 {
				t.Fatalf("what hatchdog made does not compile: %v\n%s\n%s", err, document(t, x.specs[0]), document(t, s))
			}
			return err
		}
	}
	return nil
}

// probe makes n calls and fails for one that the result allows and the spec's
// filter or the table does not.
func (x *trio) probe(t testing.TB, p *prober, n int) (allowed int) {
	t.Helper()
	var d data
	for range n {
		p.fill(&d)
		if !executes(x.programs[2].run(&d)) {
			continue
		}
		allowed++
		for i, who := range []string{"the spec's filter", "the table"} {
			if ret := x.programs[i].run(&d); !executes(ret) {
				name, arch := nameOf(&d)
				raw, _ := json.Marshal(x.specs[0])
				t.Fatalf("%s (%d, %v) %#x: the result allows it, %s answers %#x\n%.3000s", name, d.nr, arch, d.args, who, ret, raw)
			}
		}
	}
	return allowed
}

func wishes() []seccomp.Wish {
	native := specs.ArchX86_64
	return []seccomp.Wish{
		{Native: native},
		{Native: native, Capabilities: []string{"CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_BPF"}},
		{Native: native, Arches: []specs.Arch{specs.ArchX86, specs.ArchX32}},
		{Native: native, Arches: []specs.Arch{specs.ArchX86}, Allow: []string{"mount", "socket"}, Deny: []string{"read", "socketcall"}},
		{Native: native, Arches: []specs.Arch{specs.ArchAARCH64, specs.ArchARM}},
	}
}

// Every filter that a real engine wrote, under every table.
func TestRealFilters(t *testing.T) {
	rng, c := seeded(t), newCompiler(t)
	all := dockers(t)
	each := budget(t, 500_000) / (len(all) * len(tables.Names()) * len(wishes()))
	total, allowed := 0, 0
	for name, in := range all {
		for _, tn := range tables.Names() {
			table, err := tables.Load(tn)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range wishes() {
				x := cut(t, in, table, w)
				if err := x.compile(t, c); err != nil {
					t.Fatalf("%s %s: %v", name, tn, err)
				}
				allowed += x.probe(t, newProber(rng, x.specs[:]...), each)
				total += each
			}
		}
	}
	t.Logf("%d calls probed, %d allowed", total, allowed)
	if allowed < total/50 {
		t.Error("hardly a call is allowed: this proves little")
	}
}

// Filters that nobody would write: every action and operator, overlapping and
// contradicting rules, every architecture.
func TestMadeUpFilters(t *testing.T) {
	rng, c := seeded(t), newCompiler(t)
	const each = 2000
	total, allowed, unfit := 0, 0, 0
	for total < budget(t, 500_000) {
		table, err := seccomp.ParseTable("made up", madeTable(rng))
		if err != nil {
			t.Fatal(err)
		}
		w := wishes()[rng.IntN(len(wishes()))]
		w.Allow, w.Deny = nil, nil
		x := cut(t, madeFilter(rng), table, w)
		if x == nil {
			continue
		}
		if err := x.compile(t, c); err != nil {
			unfit++
			total += each
			continue
		}
		allowed += x.probe(t, newProber(rng, x.specs[:]...), each)
		total += each
	}
	t.Logf("%d calls probed, %d allowed, %d filters that libseccomp refused or did not finish", total, allowed, unfit)
	if allowed < total/200 {
		t.Error("hardly a call is allowed: this proves little")
	}
}

//go:build cgo

package proof

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// engines are the default filters of engines (testdata/engines/README.md).
func engines(t testing.TB) map[string]*specs.LinuxSeccomp {
	t.Helper()
	files, err := filepath.Glob("testdata/engines/*.json")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d filters, %v", len(files), err)
	}
	out := map[string]*specs.LinuxSeccomp{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var s specs.LinuxSeccomp
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = &s
	}
	return out
}

// Of every engine's default filter and every table: what both allow, the result
// allows, to the last argument. Nothing is lost.
func TestNothingIsLost(t *testing.T) {
	rng, c := seeded(t), newCompiler(t)
	all := engines(t)
	each := budget(t, 300_000) / (len(all) * len(tables.Names()))
	for name, in := range all {
		for _, tn := range tables.Names() {
			table, err := tables.Load(tn)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range wishes()[:1] {
				f, err := seccomp.Parse(in)
				if err != nil {
					t.Fatal(err)
				}
				if lost := seccomp.Intersect(f, table.Resolve(w), w).Lost; len(lost) > 0 {
					t.Errorf("%s under %s: lost %v", name, tn, lost)
				}
				x := cut(t, in, table, w)
				if err := x.compile(t, c); err != nil {
					t.Fatal(err)
				}
				p := newProber(rng, x.specs[:]...)
				var d data
				for range each {
					p.fill(&d)
					call, _ := nameOf(&d)
					if call == "socketcall" || call == "ipc" || d.arch != auditX86_64 {
						continue
					}
					if executes(x.programs[0].run(&d)) && executes(x.programs[1].run(&d)) && !executes(x.programs[2].run(&d)) {
						t.Fatalf("%s under %s: %s %#x is allowed by both and denied", name, tn, call, d.args)
					}
				}
			}
		}
	}
}

// A program that cannot do these does not run. No engine's default filter loses
// one under any table, as compiled.
func TestMustHave(t *testing.T) {
	c := newCompiler(t)
	w := seccomp.Wish{Native: specs.ArchX86_64}
	for name, in := range engines(t) {
		f, err := seccomp.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, tn := range tables.Names() {
			table, err := tables.Load(tn)
			if err != nil {
				t.Fatal(err)
			}
			res := seccomp.Intersect(f, table.Resolve(w), w)
			if len(res.Missing) > 0 {
				t.Errorf("%s under %s: %v", name, tn, res.Missing)
			}
			p, err := c.compile(res.Spec)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range seccomp.MustHave() {
				nr := numbers(m.Name)
				if len(nr) == 0 {
					t.Fatalf("%s has no number", m.Name)
				}
				if got := p.run(&data{nr: nr[0], arch: auditX86_64, args: m.Args}); !executes(got) {
					t.Errorf("%s under %s: %s %#x answers %#x", name, tn, m.Name, m.Args, got)
				}
			}
		}
	}
}

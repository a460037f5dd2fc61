//go:build cgo

package proof

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"

	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// ret is the kernel's value of an action (SECCOMP_RET_*).
func ret(a seccomp.Action) uint32 {
	switch a.Kind {
	case seccomp.KillProcess:
		return 0x80000000
	case seccomp.KillThread:
		return 0
	case seccomp.Trap:
		return 0x30000
	case seccomp.Errno:
		return 0x50000 | uint32(a.Errno)
	case seccomp.Notify:
		return 0x7fc00000
	case seccomp.Trace:
		return 0x7ff00000 | uint32(a.Errno)
	case seccomp.Log:
		return 0x7ffc0000
	}
	return 0x7fff0000
}

// What `hatchctl seccomp simulate` says is what the compiled filter does, for
// every call that has a name, wherever it claims to be certain.
func TestEvaluateIsWhatIsCompiled(t *testing.T) {
	rng, c := seeded(t), newCompiler(t)
	filters := []*specs.LinuxSeccomp{}
	for _, f := range dockers(t) {
		filters = append(filters, f)
	}
	for _, name := range tables.Names() {
		table, err := tables.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range wishes() {
			filters = append(filters, seccomp.Intersect(nil, table.Resolve(w), w).Spec)
		}
	}
	for range 60 {
		filters = append(filters, madeFilter(rng))
	}
	byToken := map[libseccomp.ScmpArch]specs.Arch{}
	for a, token := range tokens {
		byToken[token] = a
	}
	certain, each := 0, budget(t, 400_000)/len(filters)
	for _, s := range filters {
		p, err := c.compile(s)
		if err != nil {
			continue
		}
		f, err := seccomp.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		probe := newProber(rng, s)
		var d data
		for range each {
			probe.fill(&d)
			name, arch := nameOf(&d)
			if name == "" {
				continue
			}
			got := f.Evaluate(seccomp.Call{Name: name, Arch: byToken[arch], Args: d.args}, specs.ArchX86_64)
			if !got.Certain {
				continue
			}
			certain++
			if want := p.run(&d); ret(got.Action) != want {
				t.Fatalf("%s (%v) %#x: %v (%s), compiled %#x\n%.3000s", name, arch, d.args, got.Action, got.Rule, want, document(t, s))
			}
		}
	}
	t.Logf("%d calls compared", certain)
	if certain < each*len(filters)/3 {
		t.Error("few of them: this proves little")
	}
}

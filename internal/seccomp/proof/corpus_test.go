//go:build cgo

package proof

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	libseccomp "github.com/seccomp/libseccomp-golang"

	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

type recorded struct {
	name string
	data data
	by   string
}

// corpus are calls of real programs.
func corpus(t testing.TB) []recorded {
	t.Helper()
	raw, err := os.ReadFile("testdata/calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []recorded
	for line := range strings.Lines(string(raw)) {
		call, by, _ := strings.Cut(line, "#")
		words := strings.Fields(call)
		if len(words) == 0 {
			continue
		}
		nr, err := libseccomp.GetSyscallFromNameByArch(words[0], libseccomp.ArchAMD64)
		if err != nil {
			t.Fatalf("%s: %v", words[0], err)
		}
		r := recorded{name: words[0], by: strings.TrimSpace(by), data: data{nr: uint32(nr), arch: auditX86_64}}
		for i, w := range words[1:] {
			if r.data.args[i], err = strconv.ParseUint(w, 0, 64); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, r)
	}
	if len(out) < 150 {
		t.Fatalf("only %d calls", len(out))
	}
	return out
}

// What a real filter and a table both allow, the result allows: for every call
// that servers, language runtimes and tools were seen to make.
func TestCorpusIsAllowed(t *testing.T) {
	c := newCompiler(t)
	calls := corpus(t)
	for name, in := range dockers(t) {
		for _, tn := range tables.Names() {
			table, err := tables.Load(tn)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range []seccomp.Wish{wishes()[0], wishes()[2]} {
				x := cut(t, in, table, w)
				if err := x.compile(t, c); err != nil {
					t.Fatal(err)
				}
				for _, r := range calls {
					all := [3]bool{}
					for i, p := range x.programs {
						all[i] = executes(p.run(&r.data))
					}
					if all[0] && all[1] && !all[2] {
						t.Errorf("%s under %s: %s %#x of %s is denied, and need not be", name, tn, r.name, r.data.args, r.by)
					}
				}
			}
		}
	}
}

// Of what these programs do, the tables deny only what they do without.
func TestCorpusUnderTables(t *testing.T) {
	c := newCompiler(t)
	w := seccomp.Wish{Native: specs.ArchX86_64}
	for tn, want := range map[string]string{
		"baseline":   "clone3 io_uring_enter io_uring_setup",
		"restricted": "clone3 io_uring_enter io_uring_setup",
		"untrusted":  "clone3 io_uring_enter io_uring_setup",
	} {
		table, err := tables.Load(tn)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.compile(seccomp.Intersect(nil, table.Resolve(w), w).Spec)
		if err != nil {
			t.Fatal(err)
		}
		var denied []string
		for _, r := range corpus(t) {
			if !executes(p.run(&r.data)) {
				denied = append(denied, r.name)
			}
		}
		slices.Sort(denied)
		if got := strings.Join(slices.Compact(denied), " "); got != want {
			t.Errorf("%s denies %s, want %s", tn, got, want)
		}
	}
}

package plan

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// filterNotLooser tries calls on both filters, by the text of their rules: each
// call that either names, with arguments at and near the values that they look
// at. The proof on what libseccomp compiles is in internal/seccomp/proof.
func filterNotLooser(t failer, before, after *specs.LinuxSeccomp) {
	if before == nil {
		return // everything was made
	}
	if after == nil {
		t.Errorf("the filter is gone")
		return
	}
	for _, a := range after.Architectures {
		if a != specs.ArchX86_64 && a != specs.ArchAARCH64 && !slices.Contains(before.Architectures, a) {
			t.Errorf("architecture %s", a)
		}
	}
	names := []string{"a_call_of_tomorrow"}
	values := []uint64{0, 1, 1<<64 - 1}
	for _, s := range []*specs.LinuxSeccomp{before, after} {
		for _, r := range s.Syscalls {
			names = append(names, r.Names...)
			for _, a := range r.Args {
				values = append(values, a.Value, a.Value+1, a.Value-1, a.ValueTwo)
			}
		}
	}
	slices.Sort(names)
	slices.Sort(values)
	values = slices.Compact(values)
	for _, name := range slices.Compact(names) {
		for i, v := range values {
			args := [6]uint64{v, v, values[len(values)-1-i], v, v, v}
			if made(after, name, args) && !made(before, name, args) {
				t.Errorf("%s %#x is made, and was not", name, args)
			}
		}
	}
}

// made says whether the rules let a call through: an unconditional one wins,
// then one whose tests all hold.
func made(s *specs.LinuxSeccomp, name string, args [6]uint64) bool {
	runs := func(a specs.LinuxSeccompAction) bool { return a == specs.ActAllow || a == specs.ActLog }
	verdict := runs(s.DefaultAction)
	for _, r := range s.Syscalls {
		switch {
		case !slices.Contains(r.Names, name):
		case len(r.Args) == 0:
			return runs(r.Action)
		case !slices.ContainsFunc(r.Args, func(a specs.LinuxSeccompArg) bool { return !passes(a, args[a.Index]) }):
			verdict = runs(r.Action)
		}
	}
	return verdict
}

func passes(a specs.LinuxSeccompArg, v uint64) bool {
	switch a.Op {
	case specs.OpNotEqual:
		return v != a.Value
	case specs.OpLessThan:
		return v < a.Value
	case specs.OpLessEqual:
		return v <= a.Value
	case specs.OpEqualTo:
		return v == a.Value
	case specs.OpGreaterEqual:
		return v >= a.Value
	case specs.OpGreaterThan:
		return v > a.Value
	}
	return v&a.Value == a.ValueTwo
}

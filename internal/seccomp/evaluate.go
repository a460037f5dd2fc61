package seccomp

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Call is one system call.
type Call struct {
	Name string
	Arch specs.Arch
	Args [6]uint64
}

// Answer is what a filter makes of a call.
type Answer struct {
	Action Action
	Rule   string // the rule that decides, or why none does
	// Certain is false where rules contradict or overlap so that libseccomp may
	// compile them to something else than they say. Action is then the strictest
	// of those that may come out.
	Certain bool
}

// Evaluate is the answer of the filter as libseccomp documents it: an
// unconditional rule wins over conditional ones, the first over later ones, and
// a rule with the default action counts for nothing.
func (f *Filter) Evaluate(c Call, native specs.Arch) Answer {
	a, _ := find(c.Arch)
	if c.Arch != native && !slices.Contains(f.Arches, c.Arch) {
		return Answer{Action{Kind: KillThread}, "the architecture is not admitted", true}
	}
	if a.narrow {
		for i := range c.Args {
			c.Args[i] &= 1<<32 - 1
		}
	}
	out := Answer{f.Default, "no rule", true}
	var conds Set
	matched := false
	for _, r := range f.Rules {
		if r.Action == f.Default || !slices.Contains(r.Names, c.Name) {
			continue
		}
		if len(r.When) == 0 {
			return Answer{r.Action, "a rule for all arguments", !f.masked(c.Name, a.narrow)}
		}
		for _, conj := range r.When {
			out.Certain = out.Certain && conj.comparable(a.narrow)
			conds = append(conds, conj)
			if !conj.Holds(c.Args) {
				continue
			}
			if matched && r.Action != out.Action {
				out.Certain = false
				out.Action = stricter(out.Action, r.Action)
				continue
			}
			matched, out.Action, out.Rule = true, r.Action, conj.String()
		}
	}
	slices.SortFunc(conds, compareConj)
	conds = slices.CompactFunc(conds, func(a, b Conj) bool { return compareConj(a, b) == 0 })
	if len(conds) > maxSet {
		out.Certain = false
		return out
	}
	if len(conds) > 1 && !conds.faithful() {
		out.Certain = false
	}
	if a.mux && (c.Name == "socketcall" || c.Name == "ipc") {
		out.Certain = false // a rule for connect, say, is one for socketcall too
	}
	return out
}

// masked reports whether a rule of the call masks an argument away: libseccomp
// takes it for a condition, and it may win over a rule that has none.
func (f *Filter) masked(name string, narrow bool) bool {
	for _, r := range f.Rules {
		if !slices.Contains(r.Names, name) {
			continue
		}
		for _, conj := range r.When {
			for _, c := range conj {
				if c.Op == Masked && (c.Mask == 0 || narrow && uint32(c.Mask) == 0) {
					return true
				}
			}
		}
	}
	return false
}

package seccomp

import "slices"

// verdict is what a filter surely makes of one call.
type verdict struct {
	allow Set
	// log: what is allowed is logged as well.
	log bool
	// deny is the strictest answer that the filter gives where it does not
	// allow; explicit is true where a rule gives it, not the default.
	deny     Action
	explicit bool
	notify   bool // a supervisor decides, whatever the arguments
	// doubted is what the filter may allow beyond that.
	doubted Set
	// rules are the conditions of all its rules, whatever their action.
	rules Set
	// tied is true where a rule that allows looks at several arguments.
	tied  bool
	odd   bool   // one of them does not mean the same to every architecture
	bare  bool   // it has a rule without conditions, of which
	whole Action // is the action of the first
	mixed bool   // two rules, one of them without conditions, differ in action
}

// certain under-approximates what a filter allows, by name. A call is in it
// only if it is allowed whichever of contradicting rules wins, both as the
// rules read and as libseccomp compiles them: conditions of a shape that it
// compiles to something else allow nothing. mux and narrow are
// the traits of the result's architectures.
func (f *Filter) certain(mux, narrow bool) map[string]*verdict {
	found := make(map[string]*verdict, 512)
	backing := make([]verdict, 0, 512)
	of := func(name string) *verdict {
		v := found[name]
		if v == nil {
			if len(backing) == cap(backing) {
				backing = make([]verdict, 0, 512)
			}
			backing = append(backing, verdict{deny: f.denial()})
			v = &backing[len(backing)-1]
			if f.Default.Executes() {
				v.allow, v.log = Always(), f.Default.Kind == Log
			}
			found[name] = v
		}
		return v
	}
	for _, r := range f.Rules {
		if r.Action.Executes() {
			for _, n := range r.Names {
				of(n).permit(r, narrow)
			}
		}
	}
	for _, r := range f.Rules {
		if !r.Action.Executes() {
			for _, n := range r.Names {
				of(n).forbid(r, f.Default, narrow)
				if through := muxed(n); mux && through != "" {
					of(through).doubt() // libseccomp denies it along with the call
				}
			}
		}
	}
	for _, v := range found {
		if v.allow.Always() || len(v.allow) == 0 {
			continue
		}
		if v.odd || v.mixed || !v.compiled() {
			v.doubt()
		}
	}
	return found
}

// compiled is true where libseccomp allows at least what the rules allow and
// none denies. Beyond what is faithful these are rules that test one argument
// each, and others that test several for equality or masks, if all of those
// deny; and a tree of one argument (branched).
func (v *verdict) compiled() bool {
	if len(v.rules) > maxSet {
		return false
	}
	return len(v.rules) <= 1 || v.rules.faithful() || !v.tied && !slices.ContainsFunc(v.rules, func(c Conj) bool {
		return len(c) == 1 && !c[0].short() || len(c) > 1 && !c.plain()
	}) || v.rules.branched()
}

// doubt takes away all that is allowed.
func (v *verdict) doubt() {
	v.question(v.allow)
	v.allow = nil
}

// question notes what may be allowed beyond what surely is.
func (v *verdict) question(s Set) {
	if s.Always() {
		v.doubted = Always()
	} else if !v.doubted.Always() && len(v.doubted)+len(s) <= maxSet {
		v.doubted = append(v.doubted, s...)
	}
}

// collect keeps the conditions of a rule, each once, and notes what makes the
// rules of a call doubtful.
func (v *verdict) collect(r Rule, narrow bool) {
	if len(r.When) == 0 {
		v.mixed = v.mixed || len(v.rules) > 0 || v.bare && v.whole != r.Action
		if !v.bare {
			v.bare, v.whole = true, r.Action
		}
		return
	}
	v.mixed = v.mixed || v.bare
	for _, c := range r.When {
		v.odd = v.odd || !c.comparable(narrow)
		v.tied = v.tied || len(c) > 1 && r.Action.Executes()
		if len(v.rules) <= maxSet && !slices.ContainsFunc(v.rules, func(d Conj) bool { return compareConj(c, d) == 0 }) {
			v.rules = append(v.rules, c)
		}
	}
}

// denial is the answer to a call that no rule allows.
func (f *Filter) denial() Action {
	if f.Default.Executes() || f.Default.Kind == Trace {
		return Action{Errno, ePERM}
	}
	return f.Default
}

func (v *verdict) permit(r Rule, narrow bool) {
	if r.Action.Kind == Log {
		v.log = true
	}
	v.collect(r, narrow)
	if len(r.When) == 0 {
		v.allow = Always()
		return
	}
	if v.allow.Always() {
		return // a rule that allows part of it adds nothing
	}
	for _, c := range r.When {
		if !c.comparable(narrow) || len(v.allow) >= maxSet {
			v.question(Set{c})
			continue
		}
		v.allow = append(v.allow, c)
	}
}

func (v *verdict) forbid(r Rule, def Action, narrow bool) {
	switch {
	case r.Action.Kind == Notify && len(r.When) == 0:
		v.notify = true
	case r.Action.Kind == Notify, r.Action.Kind == Trace:
		// A call that the supervisor or the tracer might let through is denied.
		if v.question(r.When); len(r.When) == 0 {
			v.doubted = Always()
		}
	case !v.explicit || r.Action.Kind < v.deny.Kind:
		v.deny, v.explicit = r.Action, true
		if !def.Executes() {
			v.deny = stricter(r.Action, def)
		}
	}
	v.collect(r, narrow)
	if len(r.When) == 0 {
		if v.whole.Executes() {
			v.question(v.allow) // of two rules for all arguments the first wins, not the stricter
		}
		v.allow = nil
		return
	}
	for _, c := range r.When {
		if len(v.allow) == 0 {
			return
		}
		rest, exact := v.allow.less(c.asCompiled())
		if !exact {
			v.doubt()
			return
		}
		v.allow = rest
	}
}

// comparable is true where the condition means the same to every architecture
// and to every reader. libseccomp drops bits of a value outside its mask, and
// the upper half of a value where arguments have 32 bits.
func (c Conj) comparable(narrow bool) bool {
	return !slices.ContainsFunc(c, func(x Cond) bool {
		return x.Op == Masked && x.Value&^x.Mask != 0 || narrow && x.Value>>32 != 0
	})
}

// asCompiled is the condition without the bits that libseccomp drops: what a
// rule that denies must be taken for.
func (c Conj) asCompiled() Conj {
	out := slices.Clone(c)
	for i := range out {
		if out[i].Op == Masked {
			out[i].Value &= out[i].Mask
		}
	}
	return out
}

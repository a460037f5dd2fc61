package seccomp

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Result is a filter that allows no more than the spec's and the table.
type Result struct {
	Spec *specs.LinuxSeccomp
	// Taken are the calls that the spec's filter allowed at least in part and
	// the result does not, Limited those that it allows for fewer arguments.
	Taken, Limited []string
	// Lost is what is denied although both allow it, because libseccomp cannot
	// be trusted to compile the exact answer, Missing the calls among it that
	// programs do not run without.
	Lost    []Loss
	Missing []Need
}

// Intersect cuts the spec's filter down to what the table grants. A nil filter
// allows everything.
func Intersect(f *Filter, g *Grants, w Wish) *Result {
	r := &Result{}
	m := merger{grants: g, result: r, fallback: Action{Errno, eNOSYS}}
	out := &specs.LinuxSeccomp{}
	if f == nil {
		f = &Filter{Default: Action{Kind: Allow}}
		out.Architectures = append([]specs.Arch{w.Native}, w.Arches...)
	} else {
		m.filtered = true
		out.Architectures = commonArches(f.Arches, w)
		out.Flags = f.Flags
		if f.Default.Kind < Errno {
			m.fallback = f.Default
		}
	}
	out.Flags = withLog(out.Flags, w.Log)
	m.filter = f
	m.mux, m.narrow = traits(out.Architectures) // calls of others are killed
	m.spec = f.certain(m.mux, m.narrow)
	m.decide(out)
	r.Spec, r.Missing = out, missing(r.Lost)
	return r
}

// withLog adds the flag. A filter without flags gets runc's own, which has to
// be named then.
func withLog(flags []specs.LinuxSeccompFlag, log bool) []specs.LinuxSeccompFlag {
	switch {
	case !log || slices.Contains(flags, specs.LinuxSeccompFlagLog):
		return flags
	case flags == nil:
		return []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow}
	}
	return append(slices.Clone(flags), specs.LinuxSeccompFlagLog)
}

func commonArches(have []specs.Arch, w Wish) []specs.Arch {
	out := []specs.Arch{w.Native}
	for _, a := range have {
		if slices.Contains(w.Arches, a) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

func traits(list []specs.Arch) (mux, narrow bool) {
	for _, name := range list {
		a, _ := find(name)
		mux, narrow = mux || a.mux, narrow || a.narrow
	}
	return mux, narrow
}

// merger makes the rules of a result.
type merger struct {
	filter      *Filter
	filtered    bool // there is a filter in the spec
	spec        map[string]*verdict
	grants      *Grants
	fallback    Action
	mux, narrow bool
	result      *Result
	emit        emitter
}

func (m *merger) decide(out *specs.LinuxSeccomp) {
	names := m.names()
	m.emit.calls = make([]emitted, 0, len(names))
	unlisted := verdict{deny: m.filter.denial()}
	if m.filter.Default.Executes() {
		unlisted.allow, unlisted.log = Always(), m.filter.Default.Kind == Log
	}
	var none grant
	for _, n := range names {
		v, g := m.spec[n], m.grants.calls[n]
		if v == nil {
			v = &unlisted
		}
		if g == nil {
			g = &none
		}
		m.one(n, v, g)
	}
	m.closeMux()
	m.emit.into(out, m.fallback)
}

// names are the calls that either side names, sorted. An engine's are sorted
// already, mostly: sorting them by themselves is cheap.
func (m *merger) names() []string {
	first := make([]string, 0, len(m.spec))
	for _, r := range m.filter.Rules {
		first = append(first, r.Names...)
	}
	for n := range m.spec {
		if n == "socketcall" || n == "ipc" {
			first = append(first, n) // may be doubted without being named
		}
	}
	var more []string
	for n := range m.grants.calls {
		if m.spec[n] == nil {
			more = append(more, n)
		}
	}
	slices.Sort(first)
	slices.Sort(more)
	first = slices.Compact(first)
	all := make([]string, 0, len(first)+len(more))
	for len(first) > 0 && len(more) > 0 {
		least := &first
		if more[0] < first[0] {
			least = &more
		}
		all = append(all, (*least)[0])
		*least = (*least)[1:]
	}
	return append(append(all, first...), more...)
}

// one decides on one call.
func (m *merger) one(name string, v *verdict, g *grant) {
	part, exact := m.part(v, g)
	if lost := v.lost(g, part, exact); len(lost) > 0 {
		m.result.Lost = append(m.result.Lost, Loss{name, lost})
	}
	if m.filtered && len(v.allow) > 0 {
		switch {
		case len(part) == 0:
			m.result.Taken = append(m.result.Taken, name)
		case !part.Always() && part.String() != v.allow.String():
			m.result.Limited = append(m.result.Limited, name)
		}
	}
	switch {
	case len(part) > 0:
		kind := Allow
		if v.log {
			kind = Log
		}
		m.emit.add(name, Action{Kind: kind}, part)
		m.answers(name, v, g, part)
	case v.notify && !v.explicit && g.allow.Always():
		m.emit.add(name, Action{Kind: Notify}, Always())
	default:
		if a, ok := m.denial(v, g); ok {
			m.emit.add(name, a, Always())
		}
	}
}

// answers adds the table's answers to arguments that are denied, as far as
// libseccomp keeps them apart from those that are admitted. The others get the
// default.
func (m *merger) answers(name string, v *verdict, g *grant, part Set) {
	if part.Always() || m.fallback.Kind != Errno || v.explicit && v.deny.Kind < Errno {
		return
	}
	all := slices.Clone(part)
	from := len(m.emit.calls)
	for _, a := range g.answers {
		if !a.when.comparable(m.narrow) || slices.ContainsFunc(part, func(c Conj) bool { return !c.apart(a.when) }) {
			continue
		}
		all = append(all, a.when)
		m.emit.add(name, Action{Errno, a.errno}, Set{a.when})
	}
	if len(all) > maxSet || !all.faithful() {
		m.emit.calls = m.emit.calls[:from]
	}
}

// part is what the call is admitted for. exact is true where that is all that
// both sides surely admit.
func (m *merger) part(v *verdict, g *grant) (part Set, exact bool) {
	table := g.allow.comparable(m.narrow)
	both, whole := v.allow.and(table)
	part, same := both.sound()
	if m.filtered && v.deny.Kind < m.fallback.Kind && v.explicit && !part.Always() {
		return nil, len(both) == 0 // what was killed for some arguments is not answered with an error
	}
	comparable := part.comparable(m.narrow)
	return comparable, whole && same && len(comparable) == len(part) && len(table) == len(g.allow)
}

// lost is what the rules of both sides may admit, and part does not.
func (v *verdict) lost(g *grant, part Set, exact bool) Set {
	if len(g.allow) == 0 || part.Always() || exact && len(v.doubted) == 0 {
		return nil
	}
	both, _ := slices.Concat(v.doubted, v.allow).and(g.allow)
	return slices.DeleteFunc(slices.Clone(both), part.covers)
}

// covers is true where surely s admits whatever c does.
func (s Set) covers(c Conj) bool {
	if slices.ContainsFunc(s, c.inside) {
		return true
	}
	blocks, ok := Set{c}.inBlocks()
	return ok && !slices.ContainsFunc(blocks, func(b Conj) bool { return !slices.ContainsFunc(s, b.inside) })
}

// denial is the answer to a call that is denied whatever its arguments. ok is
// false where the default is it. The special answers of the spec stay, and so
// does its default where a program may know the call.
func (m *merger) denial(v *verdict, g *grant) (Action, bool) {
	byTable := Action{Errno, g.errno}
	switch {
	case v.explicit && g.errno != 0:
		return stricter(v.deny, byTable), true
	case v.explicit:
		return v.deny, true
	case m.fallback.Kind < Errno:
		return m.fallback, false
	case g.errno != 0:
		return byTable, true
	case m.filtered && len(g.allow) > 0 && !m.filter.Default.Executes() && v.deny.Kind == Errno && v.deny != m.fallback:
		return v.deny, true
	}
	return m.fallback, false
}

// closeMux denies socketcall and ipc where they would be opened unasked: on
// some architectures libseccomp opens them, without any condition, along with
// a call that is reached through them, unless a rule for them that is not the
// default wins.
func (m *merger) closeMux() {
	if !m.mux {
		return
	}
	for _, through := range []string{"ipc", "socketcall"} {
		at := slices.IndexFunc(m.emit.calls, func(c emitted) bool { return c.name >= through })
		if at < 0 {
			at = len(m.emit.calls)
		}
		there := at < len(m.emit.calls) && m.emit.calls[at].name == through
		if there && m.emit.calls[at].when.Always() && m.emit.calls[at].action != m.fallback {
			continue
		}
		if there {
			m.emit.calls = slices.Delete(m.emit.calls, at, at+1)
		}
		if closed, ok := m.closing(); ok {
			m.emit.calls = slices.Insert(m.emit.calls, at, emitted{through, closed, Always()})
			continue
		}
		m.emit.calls = slices.DeleteFunc(m.emit.calls, func(c emitted) bool { return muxed(c.name) == through })
	}
}

// closing is an answer that is no milder than the default, and not the default.
func (m *merger) closing() (Action, bool) {
	switch m.fallback.Kind {
	case Errno:
		return Action{Errno, ePERM}, true
	case KillProcess:
		return Action{}, false
	}
	return Action{Kind: KillProcess}, true
}

// Notifies is true where a supervisor is asked about a call.
func (r *Result) Notifies() bool {
	return slices.ContainsFunc(r.Spec.Syscalls, func(s specs.LinuxSyscall) bool { return s.Action == specs.ActNotify })
}

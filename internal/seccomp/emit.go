package seccomp

import (
	"cmp"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// emitted is the answer to one call.
type emitted struct {
	name   string
	action Action
	when   Set
}

// emitter collects the answers, in the order of the names.
type emitter struct{ calls []emitted }

func (e *emitter) add(name string, a Action, when Set) {
	e.calls = append(e.calls, emitted{name, a, when})
}

// into writes the rules: one for all calls with the same unconditional answer,
// one for each conjunction of the others.
func (e *emitter) into(out *specs.LinuxSeccomp, fallback Action) {
	out.DefaultAction, out.DefaultErrnoRet = fallback.spec()
	groups := map[Action]int{}
	var order []Action
	for _, c := range e.calls {
		if c.when.Always() {
			if groups[c.action] == 0 {
				order = append(order, c.action)
			}
			groups[c.action]++
		}
	}
	slices.SortFunc(order, func(a, b Action) int {
		return cmp.Or(-cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Errno, b.Errno))
	})
	for _, a := range order {
		s := specs.LinuxSyscall{Names: make([]string, 0, groups[a])}
		s.Action, s.ErrnoRet = a.spec()
		for _, c := range e.calls {
			if c.action == a && c.when.Always() {
				s.Names = append(s.Names, c.name)
			}
		}
		out.Syscalls = append(out.Syscalls, s)
	}
	for _, c := range e.calls {
		if c.when.Always() {
			continue
		}
		for _, conj := range c.when {
			s := specs.LinuxSyscall{Names: []string{c.name}}
			s.Action, s.ErrnoRet = c.action.spec()
			for _, x := range conj {
				s.Args = append(s.Args, x.spec())
			}
			out.Syscalls = append(out.Syscalls, s)
		}
	}
}

package seccomp

import (
	"errors"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ErrWatch means that a container cannot be watched without being held.
var ErrWatch = errors.New("its other architectures are not known, and a filter would close them")

// Watch is the spec's filter with the calls that the table denies logged where
// it allows them: what is allowed and denied stays as it is. A call that the
// table admits for some arguments is not logged, because rules for both cannot
// be told to libseccomp; these are returned.
func Watch(s *specs.LinuxSeccomp, g *Grants, w Wish) (*specs.LinuxSeccomp, []string, error) {
	if s == nil {
		subs, ok := siblings(w.Native)
		if !ok {
			return nil, nil, ErrWatch
		}
		s = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: append([]specs.Arch{w.Native}, subs...)}
	}
	out := *s
	out.Syscalls = nil
	var partly []string
	ruled := map[string]bool{}
	for _, r := range s.Syscalls {
		for _, n := range r.Names {
			ruled[n] = true
		}
		if r.Action != specs.ActAllow {
			out.Syscalls = append(out.Syscalls, r)
			continue
		}
		logged, rest := r, r
		logged.Action, logged.Names, rest.Names = specs.ActLog, nil, nil
		for _, n := range r.Names {
			switch set := g.Allows(n); {
			case len(set) == 0:
				logged.Names = append(logged.Names, n)
				continue
			case !set.Always() && len(r.Args) == 0:
				partly = append(partly, n)
			}
			rest.Names = append(rest.Names, n)
		}
		for _, part := range []specs.LinuxSyscall{rest, logged} {
			if len(part.Names) > 0 {
				out.Syscalls = append(out.Syscalls, part)
			}
		}
	}
	if s.DefaultAction == specs.ActAllow {
		logged := specs.LinuxSyscall{Action: specs.ActLog}
		for _, n := range Calls() {
			if !ruled[n] && len(g.Allows(n)) == 0 {
				logged.Names = append(logged.Names, n)
			}
		}
		if len(logged.Names) > 0 {
			out.Syscalls = append(out.Syscalls, logged)
		}
	}
	slices.Sort(partly)
	return &out, slices.Compact(partly), nil
}

// siblings are the other architectures that a native kernel serves.
func siblings(native specs.Arch) ([]specs.Arch, bool) {
	switch native {
	case specs.ArchX86_64:
		return []specs.Arch{specs.ArchX86, specs.ArchX32}, true
	case specs.ArchAARCH64:
		return []specs.Arch{specs.ArchARM}, true
	case specs.ArchRISCV64, specs.ArchLOONGARCH64:
		return nil, true
	}
	return nil, false
}

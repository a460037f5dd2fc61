package seccomp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// maxRules is the largest number of rules that a filter may have, each name
// counted. Docker's has some 420.
const maxRules = 1 << 16

// Filter is the spec's filter, read strictly.
type Filter struct {
	Default Action
	Arches  []specs.Arch // beyond the native one
	Flags   []specs.LinuxSeccompFlag
	Rules   []Rule
}

// Rule is what one entry of linux.seccomp.syscalls says. When it is empty, it
// always holds.
type Rule struct {
	Names  []string
	Action Action
	When   Set
}

// Parse reads a filter as runc and libseccomp read it. A part that they would
// ignore, or that this package does not know, is an error. The names of calls are
// the exception: they differ between versions, and a call that nobody knows is
// denied.
func Parse(s *specs.LinuxSeccomp) (*Filter, error) {
	f := &Filter{Flags: s.Flags, Arches: s.Architectures}
	var err error
	if f.Default, err = parseAction(s.DefaultAction, s.DefaultErrnoRet); err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: %w", err)
	}
	if f.Default.Kind == Notify {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: %w as the default", ErrNotify)
	}
	for i, a := range s.Architectures {
		if _, ok := find(a); !ok {
			return nil, fmt.Errorf("linux.seccomp.architectures[%d]: %w", i, ErrUnknownArch)
		}
	}
	for i, flag := range s.Flags {
		switch flag {
		case specs.LinuxSeccompFlagLog, specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagWaitKillableRecv, flagTsync:
		default:
			return nil, fmt.Errorf("linux.seccomp.flags[%d]: %w", i, ErrUnknownFlag)
		}
	}
	total := 0
	for i := range s.Syscalls {
		r, err := parseRule(&s.Syscalls[i])
		if err != nil {
			return nil, fmt.Errorf("linux.seccomp.syscalls[%d]%w", i, err)
		}
		if total += len(r.Names) * max(len(r.When), 1); total > maxRules {
			return nil, fmt.Errorf("linux.seccomp.syscalls: %w: more than %d", ErrTooMany, maxRules)
		}
		f.Rules = append(f.Rules, r)
	}
	return f, nil
}

const flagTsync specs.LinuxSeccompFlag = "SECCOMP_FILTER_FLAG_TSYNC"

func parseRule(s *specs.LinuxSyscall) (Rule, error) {
	r := Rule{Names: s.Names}
	var err error
	if r.Action, err = parseAction(s.Action, s.ErrnoRet); err != nil {
		return r, fmt.Errorf(".action: %w", err)
	}
	if len(s.Names) == 0 {
		return r, fmt.Errorf(".names: %w: there is none", ErrBadName)
	}
	for _, n := range s.Names {
		if !wellFormed(n) {
			return r, fmt.Errorf(".names: %w", ErrBadName)
		}
		if n == "write" && r.Action.Kind == Notify {
			return r, fmt.Errorf(".action: %w for write, by which the low-level runtime reaches the listener", ErrNotify)
		}
	}
	var conds Conj
	twice := false
	for j, a := range s.Args {
		c, err := parseCond(a)
		if err != nil {
			return r, fmt.Errorf(".args[%d]: %w", j, err)
		}
		_, have := conds.at(c.Index)
		twice = twice || have
		conds = append(conds, c)
	}
	switch {
	case twice: // runc makes a rule of each condition
		for _, c := range conds {
			r.When = append(r.When, Conj{c})
		}
	case len(conds) > 0:
		slices.SortFunc(conds, func(a, b Cond) int { return cmp.Compare(a.Index, b.Index) })
		r.When = Set{conds}
	}
	return r, nil
}

func wellFormed(name string) bool {
	return name != "" && len(name) < 64 && !strings.ContainsFunc(name, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
}

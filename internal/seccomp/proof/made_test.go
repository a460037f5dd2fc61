//go:build cgo

package proof

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// few calls, so that rules meet: among them such that other architectures
// reach in another way.
var few = []string{"read", "write", "socket", "connect", "socketcall", "ipc", "semget", "open", "personality", "clone", "ioctl"}

func small(rng *rand.Rand) uint64 {
	switch rng.IntN(6) {
	case 0:
		return uint64(rng.IntN(4))<<32 | uint64(rng.IntN(4))
	case 1:
		return 1 << rng.IntN(64)
	case 2:
		return rng.Uint64() >> rng.IntN(64)
	}
	return uint64(rng.IntN(6))
}

func madeFilter(rng *rand.Rand) *specs.LinuxSeccomp {
	actions := []specs.LinuxSeccompAction{
		specs.ActAllow, specs.ActAllow, specs.ActAllow, specs.ActAllow, specs.ActAllow, specs.ActAllow, specs.ActErrno, specs.ActErrno,
		specs.ActLog, specs.ActTrap, specs.ActKill, specs.ActKillProcess, specs.ActTrace,
	}
	s := &specs.LinuxSeccomp{DefaultAction: actions[rng.IntN(len(actions))]}
	for _, a := range []specs.Arch{specs.ArchX86, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64} {
		if rng.IntN(3) == 0 {
			s.Architectures = append(s.Architectures, a)
		}
	}
	for range rng.IntN(9) {
		r := specs.LinuxSyscall{Action: actions[rng.IntN(len(actions))]}
		for range 1 + rng.IntN(3) {
			r.Names = append(r.Names, few[rng.IntN(len(few))])
		}
		if rng.IntN(3) > 0 {
			r.Args = madeArgs(rng)
		}
		s.Syscalls = append(s.Syscalls, r)
	}
	// A call with several conditions on one argument, as real filters have.
	index, op := uint(rng.IntN(3)), operatorNames[rng.IntN(len(operatorNames))]
	name := few[rng.IntN(len(few))]
	for range rng.IntN(5) {
		a := madeArg(rng, index)
		if rng.IntN(3) > 0 {
			a.Op = op
		}
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{a}})
	}
	if rng.IntN(3) == 0 {
		s.Syscalls = append(s.Syscalls, branches(rng, few[rng.IntN(len(few))], actions)...)
	}
	if rng.IntN(2) == 0 {
		pad(s)
	} else {
		own(s)
	}
	return s
}

// branches are rules that compare one argument with numbers, and behind some of them
// another, as those for sockets of CRI-O and Podman do.
func branches(rng *rand.Rand, name string, actions []specs.LinuxSeccompAction) (rules []specs.LinuxSyscall) {
	equality := []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpNotEqual}
	index := uint(rng.IntN(2))
	rule := func(args ...specs.LinuxSeccompArg) {
		rules = append(rules, specs.LinuxSyscall{Names: []string{name}, Action: actions[rng.IntN(len(actions))], Args: args})
	}
	for range rng.IntN(4) {
		rule(specs.LinuxSeccompArg{Index: index, Value: uint64(rng.IntN(5)), Op: equality[rng.IntN(2)]})
	}
	for range rng.IntN(3) {
		first := specs.LinuxSeccompArg{Index: index, Value: uint64(rng.IntN(5)), Op: specs.OpEqualTo}
		then := specs.LinuxSeccompArg{Index: index + 1, Value: uint64(rng.IntN(3)), Op: equality[rng.IntN(2)]}
		rule(first, then)
		if rng.IntN(3) > 0 {
			then.Op = equality[rng.IntN(2)]
			rule(first, then)
		}
	}
	rng.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	return rules
}

// pad adds so many calls that runc has libseccomp make a tree of them.
func pad(s *specs.LinuxSeccomp) {
	act := specs.ActErrno
	if s.DefaultAction == act {
		act = specs.ActTrap
	}
	s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Action: act, Names: strings.Fields(`fchmod fchown fsync fdatasync flock
		ftruncate getcwd chdir fchdir umask getpid gettid getuid geteuid getgid getegid setuid setgid kill tkill tgkill uname
		sysinfo times getrusage mlock munlock mlockall munlockall msync mincore madvise brk`)})
}

// own leaves only calls that every architecture has for itself. Without a tree
// libseccomp 2.5.4 gets the others wrong: see TestTrapNumberNotLoaded.
func own(s *specs.LinuxSeccomp) {
	kept := s.Syscalls[:0]
	for _, r := range s.Syscalls {
		r.Names = slices.DeleteFunc(r.Names, func(n string) bool { return n == "open" || n == "socketcall" || n == "ipc" || n == "semget" })
		if len(r.Names) > 0 {
			kept = append(kept, r)
		}
	}
	s.Syscalls = kept
}

var operatorNames = []specs.LinuxSeccompOperator{
	specs.OpEqualTo, specs.OpMaskedEqual, specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpGreaterEqual, specs.OpGreaterThan,
}

func madeArg(rng *rand.Rand, index uint) specs.LinuxSeccompArg {
	a := specs.LinuxSeccompArg{Index: index, Op: operatorNames[rng.IntN(len(operatorNames))], Value: small(rng)}
	if a.Op == specs.OpMaskedEqual {
		a.ValueTwo = small(rng)
		if rng.IntN(4) > 0 {
			a.ValueTwo &= a.Value
		}
	}
	return a
}

func madeArgs(rng *rand.Rand) (args []specs.LinuxSeccompArg) {
	for index := range uint(3) {
		if rng.IntN(2) == 0 {
			args = append(args, madeArg(rng, index))
		}
	}
	if len(args) > 0 && rng.IntN(8) == 0 {
		args = append(args, madeArg(rng, args[0].Index)) // twice
	}
	return args
}

// madeTable is a table with conditions of every kind.
func madeTable(rng *rand.Rand) string {
	var b strings.Builder
	for _, name := range few {
		switch rng.IntN(5) {
		case 0:
			fmt.Fprintf(&b, "deny EPERM (made up): %s\n", name)
		case 1, 2:
			fmt.Fprintf(&b, "allow: %s\n", name)
		case 3:
			index := rng.IntN(3)
			for range 1 + rng.IntN(5) {
				mask := small(rng)
				if rng.IntN(2) == 0 {
					fmt.Fprintf(&b, "allow arg%d==%#x: %s\n", index, small(rng)&0xffffffff, name)
				} else {
					fmt.Fprintf(&b, "allow arg%d&%#x==%#x: %s\n", index, mask, small(rng)&mask, name)
				}
			}
		case 4:
			op := []string{"<", "<=", ">=", ">", "!=", "=="}[rng.IntN(6)]
			fmt.Fprintf(&b, "allow arg%d%s%#x: %s\n", rng.IntN(3), op, small(rng), name)
		}
	}
	if b.Len() == 0 {
		return "allow: read\n"
	}
	return b.String()
}

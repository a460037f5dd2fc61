package seccomp

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The errors of a filter that cannot be judged.
var (
	ErrUnknownAction = errors.New("unknown action")
	ErrNotify        = errors.New("SCMP_ACT_NOTIFY cannot be used")
	ErrUnknownOp     = errors.New("unknown operator")
	ErrUnknownArch   = errors.New("unknown architecture")
	ErrUnknownFlag   = errors.New("unknown flag")
	ErrBadErrno      = errors.New("not an error number")
	ErrBadIndex      = errors.New("a call has arguments 0 to 5")
	ErrBadName       = errors.New("not the name of a call")
	ErrTooMany       = errors.New("too many rules")
)

// The error numbers that a table answers with (errno-base.h); they are the
// same on every architecture that libseccomp and Go share, except for ENOSYS on
// MIPS, whose runtimes take it by name.
const (
	ePERM   = 1
	eNOSYS  = 38
	maxErrn = 4095 // MAX_ERRNO: what the kernel cuts larger ones down to
)

// errnos are the errors that a table may answer with (errno-base.h, errno.h;
// the same numbers on amd64 and arm64, for which hatchdog is built).
func errnos() map[string]uint16 {
	return map[string]uint16{
		"EPERM": ePERM, "ENOSYS": eNOSYS, "EIO": 5, "EINVAL": 22, "ENOTTY": 25,
		"EPROTONOSUPPORT": 93, "ESOCKTNOSUPPORT": 94, "EAFNOSUPPORT": 97,
	}
}

// Kind is what becomes of a call, from the strictest on: the order in which the
// kernel lets one filter win over another (seccomp(2)).
type Kind uint8

// The kinds of action.
const (
	KillProcess Kind = iota
	KillThread
	Trap
	Errno
	Notify
	Trace
	Log // allowed, and logged
	Allow
)

// Action is a kind with its error number.
type Action struct {
	Kind  Kind
	Errno uint16 // of Errno and Trace
}

// Executes is true where the kernel does what the call asks for.
func (a Action) Executes() bool { return a.Kind == Log || a.Kind == Allow }

// names are the kinds as the spec writes them.
func names() [8]specs.LinuxSeccompAction {
	return [8]specs.LinuxSeccompAction{
		specs.ActKillProcess, specs.ActKillThread, specs.ActTrap, specs.ActErrno,
		specs.ActNotify, specs.ActTrace, specs.ActLog, specs.ActAllow,
	}
}

// parseAction reads an action as runc does: an error number that is not given
// is EPERM.
func parseAction(name specs.LinuxSeccompAction, ret *uint) (Action, error) {
	if name == specs.ActKill {
		name = specs.ActKillThread
	}
	for kind, n := range names() {
		if n != name {
			continue
		}
		a := Action{Kind: Kind(kind)}
		if a.Kind == Errno || a.Kind == Trace {
			a.Errno = ePERM
			if ret != nil {
				if *ret > maxErrn {
					return a, ErrBadErrno
				}
				a.Errno = uint16(*ret)
			}
		}
		return a, nil
	}
	return Action{}, ErrUnknownAction
}

// spec is the action as the spec writes it.
func (a Action) spec() (specs.LinuxSeccompAction, *uint) {
	name := names()[a.Kind]
	if a.Kind != Errno && a.Kind != Trace {
		return name, nil
	}
	ret := uint(a.Errno)
	return name, &ret
}

func (a Action) String() string {
	name := string(names()[a.Kind])[len("SCMP_ACT_"):]
	switch {
	case a.Kind != Errno && a.Kind != Trace:
		return name
	}
	for text, number := range errnos() {
		if number == a.Errno {
			return name + " " + text
		}
	}
	return fmt.Sprintf("%s %d", name, a.Errno)
}

// stricter is the action that wins in the kernel. The first of two error numbers
// stays.
func stricter(a, b Action) Action {
	if b.Kind < a.Kind {
		return b
	}
	return a
}

package guard

import (
	"maps"
	"runtime"
	"slices"
)

// against compares with the filter that was.
func (b *book) against(c *check, at string, was *book) {
	for _, a := range b.Architectures {
		if a != hostArch() && !slices.Contains(was.Architectures, a) {
			c.refuse(at+".architectures", "one that was not admitted")
		}
	}
	b.flags(c, at, was)
	for _, p := range [][2]string{{b.ListenerPath, was.ListenerPath}, {b.ListenerMetadata, was.ListenerMetadata}} {
		if p[0] != "" && p[0] != p[1] {
			c.refuse(at+".listenerPath", "not the one that was asked for")
		}
	}
	if b.missing.rank > was.missing.rank || b.missing.code == 0 && b.missing.rank == errno && was.missing != b.missing {
		c.refuse(at+".defaultAction", "answers less strictly")
	}
	narrow, mux := traits(b.Architectures) // calls of others are killed
	names := map[string]bool{}
	for name := range b.calls {
		names[name] = true
	}
	for name := range was.calls {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if why := b.call(was, name, narrow); why != "" {
			c.refuse(at+".syscalls", name+": "+why)
		}
	}
	if mux {
		b.closed(c, at, was, "socketcall", socketCalls)
		b.closed(c, at, was, "ipc", ipcCalls)
	}
}

// flags: runc sets SPEC_ALLOW where none are named.
func (b *book) flags(c *check, at string, was *book) {
	const spec, log = "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"
	effective := func(b *book) []string {
		if b.Flags == nil {
			return []string{spec}
		}
		return b.Flags
	}
	had, has := effective(was), effective(b)
	for _, f := range has {
		if f != log && !slices.Contains(had, f) {
			c.refuse(at+".flags", "one that was not set")
		}
	}
	for _, f := range had {
		if f != spec && !slices.Contains(has, f) {
			c.refuse(at+".flags", "one is gone")
		}
	}
}

// call says why the answers to a call may be less strict than they were; empty
// where they are not.
func (b *book) call(was *book, name string, narrow bool) string {
	now, then := b.calls[name], was.calls[name]
	if !trusted(now, narrow) {
		return "conditions of a shape that may not compile to what they say"
	}
	for _, r := range now {
		switch {
		case r.rank >= logged:
			if why := made(r, was, then, !trusted(then, narrow)); why != "" {
				return why
			}
		case (r.rank == notify || r.rank == trace) && !slices.ContainsFunc(then, func(o ruling) bool { return o.rank == r.rank }):
			return "a supervisor that was not asked for"
		}
	}
	if b.missing.rank >= logged && !always(now) {
		if why := made(ruling{answer: b.missing}, was, then, !trusted(then, narrow)); why != "" {
			return why
		}
	}
	return weaker(denials(now, b.missing), denials(then, was.missing))
}

// made says why a rule that makes the call may make one that was not made.
// shaky: conditions of it may not have compiled to what they say.
func made(r ruling, was *book, then []ruling, shaky bool) string {
	all := was.missing.rank >= logged
	quiet := was.missing.rank > logged
	for _, o := range then {
		switch {
		case len(o.tests) == 0 && o.rank < logged:
			return "was denied"
		case len(o.tests) == 0:
			all, quiet = true, o.rank > logged
		}
	}
	inside := all
	for _, o := range then {
		switch {
		case len(o.tests) == 0:
		case o.rank < logged && !apart(r.tests, o.tests):
			return "was denied for some of these arguments"
		case o.rank < logged && shaky, o.rank >= logged && !all && shaky:
			return "was judged by conditions that may not compile to what they say"
		case o.rank >= logged && within(r.tests, o.tests):
			inside = true
		}
		quiet = quiet && o.rank != logged || quiet && o.rank > logged
	}
	switch {
	case !inside:
		return "was not made for all of these arguments"
	case r.rank > logged && (slices.ContainsFunc(then, func(o ruling) bool { return o.rank == logged }) || all && !quiet):
		return "was logged"
	}
	return ""
}

func always(rs []ruling) bool {
	return slices.ContainsFunc(rs, func(r ruling) bool { return len(r.tests) == 0 })
}

// denials are the answers to a call that do not make it.
func denials(rs []ruling, missing answer) []answer {
	var all []answer
	for _, r := range rs {
		if r.rank < logged {
			all = append(all, r.answer)
		}
	}
	if !always(rs) && missing.rank < logged {
		all = append(all, missing)
	}
	return all
}

// weaker says why a call that was denied may now get a milder answer.
func weaker(now, then []answer) string {
	strictest := logged
	feigned := false
	for _, a := range then {
		strictest = min(strictest, a.rank)
		feigned = feigned || a.rank == errno && a.code == 0
	}
	for _, a := range now {
		switch {
		case a.rank > strictest:
			return "denied less strictly"
		case a.rank == errno && a.code == 0 && !feigned:
			return "answered as if it had been made"
		}
	}
	return ""
}

// closed: where a call is also reached through another that carries its
// arguments in memory, libseccomp opens and denies that along with the call,
// unless a rule for it, which is not the default, wins.
func (b *book) closed(c *check, at string, was *book, through string, calls func() []string) {
	settled := func(k *book) bool {
		return slices.ContainsFunc(k.calls[through], func(r ruling) bool { return len(r.tests) == 0 && r.answer != k.missing })
	}
	made := func(r ruling) bool { return r.rank >= logged }
	denied := func(r ruling) bool { return r.rank < logged }
	for _, name := range calls() {
		if !settled(b) && slices.ContainsFunc(b.calls[name], made) {
			c.refuse(at+".syscalls", through+": opened along with "+name)
			return
		}
		if slices.ContainsFunc(b.calls[through], made) && slices.ContainsFunc(was.calls[name], denied) {
			c.refuse(at+".syscalls", through+": was denied along with "+name)
			return
		}
	}
}

func socketCalls() []string {
	return []string{
		"socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv", "sendto",
		"recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg",
	}
}

func ipcCalls() []string {
	return []string{
		"semop", "semget", "semctl", "semtimedop", "msgsnd", "msgrcv", "msgget", "msgctl", "shmat", "shmdt", "shmget", "shmctl",
	}
}

// hostArch is the architecture that libseccomp admits unasked.
func hostArch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "SCMP_ARCH_X86_64"
	case "arm64":
		return "SCMP_ARCH_AARCH64"
	case "386":
		return "SCMP_ARCH_X86"
	case "arm":
		return "SCMP_ARCH_ARM"
	case "riscv64":
		return "SCMP_ARCH_RISCV64"
	case "loong64":
		return "SCMP_ARCH_LOONGARCH64"
	case "ppc64le":
		return "SCMP_ARCH_PPC64LE"
	case "s390x":
		return "SCMP_ARCH_S390X"
	}
	return ""
}

// traits says whether one of the architectures has 32-bit arguments, and whether
// one reaches sockets through socketcall. An architecture that is not known has
// both.
func traits(list []string) (narrow, mux bool) {
	for _, a := range list {
		switch a {
		case "SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64", "SCMP_ARCH_LOONGARCH64":
		case "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390X":
			mux = true
		case "SCMP_ARCH_X32", "SCMP_ARCH_ARM":
			narrow = true
		default:
			narrow, mux = true, true
		}
	}
	return narrow, mux
}

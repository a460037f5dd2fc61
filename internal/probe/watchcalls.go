package probe

import "github.com/cilium/ebpf/asm"

// Numbers of amd64 (arch/x86/entry/syscalls/syscall_64.tbl) of calls that are told.
const (
	CallOpen         = 2
	CallConnect      = 42
	CallClone        = 56
	CallCreat        = 85
	CallPtrace       = 101
	CallPivotRoot    = 155
	CallMount        = 165
	CallUmount       = 166
	CallInitModule   = 175
	CallDeleteModule = 176
	CallKexec        = 246
	CallOpenat       = 257
	CallUnshare      = 272
	CallOpenByHandle = 304
	CallSetns        = 308
	CallVMRead       = 310
	CallVMWrite      = 311
	CallFinitModule  = 313
	CallKexecFile    = 320
	CallBPF          = 321
	CallOpenTree     = 428
	CallMoveMount    = 429
	CallFsmount      = 432
	CallClone3       = 435
	CallOpenat2      = 437
	CallMountSetattr = 442
)

// NewSpaces are the flags of clone that make a namespace (sched.h), but for that of
// time, which clone has not got.
const NewSpaces = 0x7e020000

// openTreeClone is a flag of open_tree (mount.h).
const openTreeClone = 1

// threadCompat is TS_COMPAT (arch/x86/include/asm/thread_info.h): the call is one of
// 32-bit programs, whose numbers mean others.
const threadCompat = 2

// plainCalls are told where they succeed.
func plainCalls() []int32 {
	return []int32{
		CallPtrace, CallPivotRoot, CallMount, CallUmount, CallInitModule, CallDeleteModule, CallKexec, CallUnshare, CallOpenByHandle, CallSetns,
		CallVMRead, CallVMWrite, CallFinitModule, CallKexecFile, CallBPF, CallMoveMount, CallFsmount, CallMountSetattr,
	}
}

// argumentOf reads an argument of the call whose pt_regs R8 is into tmp2 and R0.
func argumentOf(n int) asm.Instructions {
	return append(follow(asm.R8, tmp2, 8, argumentsAt()[n]), asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.DWord))
}

// pointed reads what the word in tmp2 points to in the caller's memory, into tmp2
// and R0.
func pointed(size asm.Size) asm.Instructions {
	all := asm.Instructions{
		asm.LoadMem(asm.R3, asm.RFP, tmp2, asm.DWord), asm.Mov.Imm(asm.R0, 0), asm.StoreMem(asm.RFP, tmp2, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, tmp2), asm.Mov.Imm(asm.R2, int32(size.Sizeof())), asm.FnProbeReadUser.Call(), //nolint:gosec // small
	}
	return append(all, asm.LoadMem(asm.R0, asm.RFP, tmp2, size))
}

// matters leaves out, before all else, what is not told: it runs at the end of each
// call of each process.
func matters() asm.Instructions {
	all := join(
		asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1), asm.LoadMem(asm.R8, asm.R6, 0, asm.DWord)},
		follow(asm.R8, tmp2, 8, atNumber),
		asm.Instructions{asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.DWord)},
	)
	for _, one := range []struct {
		number int32
		to     string
	}{
		{CallOpenat, "openat"},
		{CallClone, "clone"},
		{CallClone3, "clone3"},
		{CallConnect, "connect"},
		{CallOpen, "open"},
		{CallCreat, "writes"},
		{CallOpenat2, "openat2"},
		{CallOpenTree, "opentree"},
	} {
		all = append(all, asm.JEq.Imm(asm.R0, one.number, one.to))
	}
	for _, n := range plainCalls() {
		all = append(all, asm.JEq.Imm(asm.R0, n, "plain"))
	}
	all = append(all, asm.Ja.Label("out"))
	masked := func(name string, mask int32, next string, get asm.Instructions) asm.Instructions {
		return append(labelled(name, get), asm.And.Imm(asm.R0, mask), asm.JEq.Imm(asm.R0, 0, "out"), asm.Ja.Label(next))
	}
	const (
		eperm, eacces, erofs = -1, -13, -30
		unixFamily           = 1
	)
	return join(
		all,
		masked("openat", accessMask, "writes", argumentOf(2)),
		masked("open", accessMask, "writes", argumentOf(1)),
		masked("openat2", accessMask, "writes", join(argumentOf(2), pointed(asm.DWord))),
		masked("clone", NewSpaces, "plain", argumentOf(0)),
		masked("clone3", NewSpaces, "plain", join(argumentOf(0), pointed(asm.DWord))),
		masked("opentree", openTreeClone, "plain", argumentOf(2)),
		labelled("connect", join(argumentOf(1), pointed(asm.Half))),
		asm.Instructions{
			asm.JEq.Imm(asm.R0, unixFamily, "look"), asm.Ja.Label("out"),
			asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord).WithSymbol("writes"),
			asm.JSGE.Imm(asm.R0, 0, "look"), asm.JEq.Imm(asm.R0, eperm, "look"), asm.JEq.Imm(asm.R0, eacces, "look"), asm.JEq.Imm(asm.R0, erofs, "look"),
			asm.Ja.Label("out"),
			asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord).WithSymbol("plain"),
			asm.JSLT.Imm(asm.R0, 0, "out"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("look"),
		},
	)
}

// callProgram tells of calls that matter: sys_exit(pt_regs, answer).
func (w *Watch) callProgram(l *layout) []asm.Instructions {
	native := join(follow(asm.R7, tmp2, 4, l.taskThread+l.threadStatus), asm.Instructions{
		asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.Word), asm.And.Imm(asm.R0, threadCompat), asm.JNE.Imm(asm.R0, 0, "out"),
	})
	fields := asm.Instructions{
		asm.LoadMem(asm.R8, asm.R6, 0, asm.DWord),
		asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord), asm.StoreMem(asm.RFP, sightStack+atReturnSeen, asm.R0, asm.DWord),
	}
	fields = append(fields, into(asm.R8, atCallSeen, 4, atNumber)...)
	for i, at := range argumentsAt() {
		fields = append(fields, into(asm.R8, int16(atArgsSeen+8*i), 8, at)...) //nolint:gosec // small
	}
	text := func(name string, arg int16, off, size int32, helper asm.BuiltinFunc, next string) asm.Instructions {
		return append(labelled(name, read(sightStack+atArgsSeen+8*arg, sightStack+atPathSeen, size, off, helper)), asm.Ja.Label(next))
	}
	const family, path = 2, 108 // sockaddr_un
	kinds := join(
		countsIn(ofOthers),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, sightStack+atCallSeen, asm.Word),
			asm.JEq.Imm(asm.R1, CallConnect, "socket"), asm.JEq.Imm(asm.R1, CallMount, "named"),
			asm.JEq.Imm(asm.R1, CallOpen, "first"), asm.JEq.Imm(asm.R1, CallCreat, "first"),
			asm.JEq.Imm(asm.R1, CallOpenat, "second"), asm.JEq.Imm(asm.R1, CallOpenat2, "second"),
			asm.JEq.Imm(asm.R1, CallPtrace, "trace"), asm.JEq.Imm(asm.R1, CallVMRead, "trace"), asm.JEq.Imm(asm.R1, CallVMWrite, "trace"),
			asm.JEq.Imm(asm.R1, CallClone, "space"), asm.JEq.Imm(asm.R1, CallClone3, "space"),
			asm.JEq.Imm(asm.R1, CallUnshare, "space"), asm.JEq.Imm(asm.R1, CallSetns, "space"),
			asm.Ja.Label("tell"),
		},
		labelled("trace", countsIn(ofTraces)), asm.Instructions{asm.Ja.Label("tell")},
		labelled("space", countsIn(ofSpaces)), asm.Instructions{asm.Ja.Label("tell")},
		labelled("sockets", countsIn(ofSockets)), asm.Instructions{asm.Ja.Label("tell")},
		labelled("tries", countsIn(ofTries)), asm.Instructions{asm.Ja.Label("tell")},
		text("socket", 1, family, path, asm.FnProbeReadUser, "sockets"),
		text("named", 1, 0, atPathSizeSeen, asm.FnProbeReadUserStr, "tell"),
		text("first", 0, 0, atPathSizeSeen, asm.FnProbeReadUserStr, "opened"),
		text("second", 1, 0, atPathSizeSeen, asm.FnProbeReadUserStr, "opened"),
		asm.Instructions{
			asm.LoadMem(asm.R8, asm.RFP, sightStack+atReturnSeen, asm.DWord).WithSymbol("opened"),
			asm.JSLT.Imm(asm.R8, 0, "tries"),
		},
		follow(asm.R7, tmp2, 8, l.taskFiles, l.filesTable, l.tableFiles),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.DWord), asm.LSh.Imm(asm.R8, 3), asm.Add.Reg(asm.R0, asm.R8), asm.StoreMem(asm.RFP, tmp2, asm.R0, asm.DWord),
		},
		read(tmp2, tmp2, 8, 0, asm.FnProbeReadKernel),
		asm.Instructions{asm.LoadMem(asm.R8, asm.RFP, tmp2, asm.DWord)},
		into(asm.R8, atModeSeen, 2, l.fileInode, l.inodeMode),
		into(asm.R8, atMagicSeen, 8, l.fileInode, l.inodeSuper, l.superMagic),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sightStack+atModeSeen, asm.Half), asm.And.Imm(asm.R0, kindMask), asm.JEq.Imm(asm.R0, blockKind, "kernel"),
			asm.LoadMem(asm.R0, asm.RFP, sightStack+atMagicSeen, asm.DWord),
		},
	)
	for _, m := range []int64{procMagic, sysMagic, cgroupMagic, cgroup2Magic, debugMagic, traceMagic, securityMagic, bpfMagic, efiMagic} {
		kinds = append(kinds, asm.LoadImm(asm.R1, m, asm.DWord), asm.JEq.Reg(asm.R0, asm.R1, "kernel"))
	}
	kinds = append(kinds, asm.Ja.Label("out"))
	return []asm.Instructions{
		matters(), w.watched(l, false), native, fields, kinds, labelled("kernel", about(l, asm.R8)),
		labelled("tell", within(asm.R6, 0, callsOfOne)), who(l, SawCall), w.send(), end(),
	}
}

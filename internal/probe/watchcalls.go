package probe

import (
	"fmt"

	"github.com/cilium/ebpf/asm"
)

// convention is how a program finds the call that it looks at.
type convention struct {
	number int32   // 0: it is in pt_regs
	args   []int32 // the places of the arguments in pt_regs
	both   bool    // calls of 32-bit programs, whose numbers mean others, come too
}

// get leaves the call's number in R0. R8 is pt_regs.
func (c convention) get() asm.Instruction {
	if c.number != 0 {
		return asm.Mov.Imm(asm.R0, c.number)
	}
	return asm.LoadMem(asm.R0, asm.R8, atNumber, asm.DWord)
}

// argument leaves an argument of the call in tmp2 and R0.
func (c convention) argument(n int) asm.Instructions {
	return asm.Instructions{asm.LoadMem(asm.R0, asm.R8, int16(c.args[n]), asm.DWord), asm.StoreMem(asm.RFP, tmp2, asm.R0, asm.DWord)} //nolint:gosec // small
}

// native goes to "out" for a call of 32-bit programs, where these come too.
func (c convention) native(l *layout) asm.Instructions {
	if !c.both {
		return nil
	}
	return append(follow(asm.R7, tmp2, 4, l.taskThread+l.threadStatus),
		asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.Word), asm.And.Imm(asm.R0, threadCompat), asm.JNE.Imm(asm.R0, 0, "out"))
}

// find goes to where the call in R0 is looked at, and to "out" for all others: most
// calls of the host come by here, and have few steps.
func find(calls []toldCall) asm.Instructions {
	const few = 3
	var all asm.Instructions
	if len(calls) <= few {
		for _, c := range calls {
			all = append(all, asm.JEq.Imm(asm.R0, c.number, c.at))
		}
		return append(all, asm.Ja.Label("out"))
	}
	half := len(calls) / 2
	label := fmt.Sprintf("from %d", calls[half].number)
	all = append(all, asm.JGE.Imm(asm.R0, calls[half].number, label))
	return append(append(all, find(calls[:half])...), labelled(label, find(calls[half:]))...)
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

// matters leaves out, before all else, what is not told.
func matters(c convention) asm.Instructions {
	all := append(asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1), asm.LoadMem(asm.R8, asm.R6, 0, asm.DWord), c.get(),
	}, find(toldCalls())...)
	masked := func(name string, mask int32, next string, get asm.Instructions) asm.Instructions {
		return append(labelled(name, get), asm.And.Imm(asm.R0, mask), asm.JEq.Imm(asm.R0, 0, "out"), asm.Ja.Label(next))
	}
	const (
		eperm, eacces, erofs = -1, -13, -30
		unixFamily           = 1
	)
	return join(
		all,
		masked(atOpenat, accessMask, atWrites, c.argument(2)),
		masked(atOpen, accessMask, atWrites, c.argument(1)),
		masked(atOpenat2, accessMask, atWrites, join(c.argument(2), pointed(asm.DWord))),
		masked(atClone, NewSpaces, atPlain, c.argument(0)),
		masked(atClone3, NewSpaces, atPlain, join(c.argument(0), pointed(asm.DWord))),
		masked(atOpenTree, openTreeClone, atPlain, c.argument(2)),
		labelled(atConnect, join(c.argument(1), pointed(asm.Half))),
		asm.Instructions{
			asm.JEq.Imm(asm.R0, unixFamily, "look"), asm.Ja.Label("out"),
			asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord).WithSymbol(atWrites),
			asm.JSGE.Imm(asm.R0, 0, "look"), asm.JEq.Imm(asm.R0, eperm, "look"), asm.JEq.Imm(asm.R0, eacces, "look"), asm.JEq.Imm(asm.R0, erofs, "look"),
			asm.Ja.Label("out"),
			asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord).WithSymbol(atPlain),
			asm.JSLT.Imm(asm.R0, 0, "out"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("look"),
		},
	)
}

// callProgram tells of calls that matter: it is given (pt_regs, answer), with their
// types.
func (w *Watch) callProgram(l *layout, c convention) asm.Instructions {
	fields := asm.Instructions{
		asm.LoadMem(asm.R8, asm.R6, 0, asm.DWord),
		asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord), asm.StoreMem(asm.RFP, sightStack+atReturnSeen, asm.R0, asm.DWord),
		c.get(), asm.StoreMem(asm.RFP, sightStack+atCallSeen, asm.R0, asm.Word),
	}
	for i, at := range c.args {
		fields = append(fields,
			asm.LoadMem(asm.R0, asm.R8, int16(at), asm.DWord), asm.StoreMem(asm.RFP, sightStack+int16(atArgsSeen+8*i), asm.R0, asm.DWord)) //nolint:gosec // small
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
	return join(
		matters(c), w.watched(l, false), c.native(l), fields, kinds, labelled("kernel", about(l, asm.R8)),
		labelled("tell", within(asm.R6, 0, callsOfOne)), who(l, SawCall), w.send(), end(),
	)
}

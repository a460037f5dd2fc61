package probe

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// The layout of an event, and of the stack: the event, then two words.
const (
	atPid, atUID, atCall, atReturn = 0, 8, 16, 24
	atArgs, argsSize               = 32, 48
	atEntered, atCapability        = 80, 88
	atName, nameSize               = 96, 16
	atFirst, atSecond, pathSize    = 112, 240, 128
	atAddress, addressSize         = 368, 32
	eventSize                      = 400

	stack      = -416
	tmp1, tmp2 = -8, -16
)

// The places of a call's number and arguments in pt_regs of amd64
// (arch/x86/include/asm/ptrace.h), in bytes.
const atNumber = 120

func argumentsAt() []int32 { return []int32{112, 104, 96, 56, 72, 64} }

// sockaddrSize is as much of an address as connect is asked about (sockaddr_in6).
const sockaddrSize = 28

// own are the instructions that go to "out" except for a task of the container: one
// whose pid namespace is the container's, or lies below it. No process leaves its
// pid namespace.
func own(o offsets, level int, inode uint32) asm.Instructions {
	read := func(size int32, off int32) asm.Instructions {
		return asm.Instructions{
			asm.LoadMem(asm.R3, asm.RFP, tmp1, asm.DWord),
			asm.Add.Imm(asm.R3, off),
			asm.Mov.Reg(asm.R1, asm.RFP),
			asm.Add.Imm(asm.R1, tmp1),
			asm.Mov.Imm(asm.R2, size),
			asm.FnProbeReadKernel.Call(),
		}
	}
	keep := asm.Instructions{ // what was read last, for another read
		asm.LoadMem(asm.R9, asm.RFP, tmp1, asm.DWord),
	}
	all := asm.Instructions{
		asm.FnGetCurrentTask.Call(),
		asm.StoreMem(asm.RFP, tmp1, asm.R0, asm.DWord),
	}
	all = append(all, read(8, o.pid)...)
	all = append(all, keep...)
	all = append(all, read(4, o.level)...)
	all = append(all,
		asm.LoadMem(asm.R0, asm.RFP, tmp1, asm.Word),
		asm.JLT.Imm(asm.R0, int32(level), "out"), //nolint:gosec // small
		asm.StoreMem(asm.RFP, tmp1, asm.R9, asm.DWord),
	)
	all = append(all, read(8, o.numbers)...)
	all = append(all, read(4, o.inode)...)
	return append(all,
		asm.LoadMem(asm.R0, asm.RFP, tmp1, asm.Word),
		asm.LoadImm(asm.R1, int64(inode), asm.DWord),
		asm.JNE.Reg(asm.R0, asm.R1, "out"),
	)
}

func key() asm.Instructions {
	return asm.Instructions{
		asm.FnGetCurrentPidTgid.Call(),
		asm.StoreMem(asm.RFP, tmp1, asm.R0, asm.DWord),
	}
}

// call has a helper take a map and the key.
func call(m *ebpf.Map, helper asm.BuiltinFunc, more ...asm.Instruction) asm.Instructions {
	all := asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, tmp1),
	}
	return append(append(all, more...), helper.Call())
}

func store(m *ebpf.Map) asm.Instructions {
	return call(m, asm.FnMapUpdateElem,
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, tmp2), asm.Mov.Imm(asm.R4, 0))
}

func end() asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, 0).WithSymbol("out"), asm.Return()}
}

func join(parts ...asm.Instructions) asm.Instructions {
	var all asm.Instructions
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// enter notes that a call reached the kernel: behind the container's filter.
func enter(m maps, guard asm.Instructions) asm.Instructions {
	return join(
		asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}, guard, key(),
		asm.Instructions{asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord), asm.StoreMem(asm.RFP, tmp2, asm.R0, asm.DWord)},
		store(m.entered), call(m.refused, asm.FnMapDeleteElem), end(),
	)
}

// capable notes a capability that was refused within the call.
func capable(m maps, guard asm.Instructions) asm.Instructions {
	return join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R0, asm.R6, 32, asm.DWord), // ret
			asm.JEq.Imm(asm.R0, 0, "out"),
		}, guard, key(),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.R6, 24, asm.DWord), // cap
			asm.Add.Imm(asm.R0, 1),
			asm.StoreMem(asm.RFP, tmp2, asm.R0, asm.DWord),
		},
		store(m.refused), end(),
	)
}

// exit tells of a call that failed.
func exit(m maps, guard asm.Instructions) asm.Instructions {
	const most = -4095 // MAX_ERRNO
	zero := asm.Instructions{asm.Mov.Imm(asm.R0, 0)}
	for at := int16(0); at < eventSize; at += 8 {
		zero = append(zero, asm.StoreMem(asm.RFP, stack+at, asm.R0, asm.DWord))
	}
	head := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	failed := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R6, 8, asm.DWord),
		asm.JSGE.Imm(asm.R7, 0, "forget"),
		asm.JSLT.Imm(asm.R7, most, "forget"),
		asm.LoadMem(asm.R8, asm.R6, 0, asm.DWord), // pt_regs
	}
	fields := join(
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, tmp1, asm.DWord),
			asm.StoreMem(asm.RFP, stack+atPid, asm.R0, asm.DWord),
			asm.StoreMem(asm.RFP, stack+atReturn, asm.R7, asm.DWord),
			asm.FnGetCurrentUidGid.Call(),
			asm.StoreMem(asm.RFP, stack+atUID, asm.R0, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, stack+atName), asm.Mov.Imm(asm.R2, nameSize), asm.FnGetCurrentComm.Call(),
		},
		kernelWord(atCall, atNumber),
	)
	for i, at := range argumentsAt() {
		fields = append(fields, kernelWord(int16(atArgs+8*i), at)...) //nolint:gosec // small
	}
	for _, s := range []struct{ to, arg int16 }{{atFirst, atArgs}, {atSecond, atArgs + 8}} {
		fields = append(fields, userMemory(s.to, s.arg, pathSize, asm.FnProbeReadUserStr)...)
	}
	fields = append(fields, userMemory(atAddress, atArgs+8, sockaddrSize, asm.FnProbeReadUser)...)
	noted := join(
		call(m.entered, asm.FnMapLookupElem),
		asm.Instructions{
			asm.JEq.Imm(asm.R0, 0, "denied"), asm.Mov.Imm(asm.R1, 1), asm.StoreMem(asm.RFP, stack+atEntered, asm.R1, asm.DWord),
		},
		labelled("denied", call(m.refused, asm.FnMapLookupElem)),
		asm.Instructions{
			asm.JEq.Imm(asm.R0, 0, "send"), asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord), asm.StoreMem(asm.RFP, stack+atCapability, asm.R1, asm.DWord),
		},
	)
	send := join(
		labelled("send", asm.Instructions{
			asm.LoadMapPtr(asm.R1, m.events.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, stack),
			asm.Mov.Imm(asm.R3, eventSize), asm.Mov.Imm(asm.R4, 0), asm.FnRingbufOutput.Call(),
			asm.JEq.Imm(asm.R0, 0, "forget"),
			asm.StoreImm(asm.RFP, tmp2, 0, asm.Word),
			asm.LoadMapPtr(asm.R1, m.lost.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, tmp2), asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "forget"), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		}),
	)
	return join(head, guard, key(), failed, zero, fields, noted, send, labelled("forget", call(m.entered, asm.FnMapDeleteElem)), end())
}

func labelled(name string, all asm.Instructions) asm.Instructions {
	all[0] = all[0].WithSymbol(name)
	return all
}

// kernelWord copies a word of pt_regs, in R8, into the event.
func kernelWord(to int16, from int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(stack+to)), asm.Mov.Imm(asm.R2, 8),
		asm.Mov.Reg(asm.R3, asm.R8), asm.Add.Imm(asm.R3, from), asm.FnProbeReadKernel.Call(),
	}
}

// userMemory copies what an argument points to. Memory that cannot be read is zero.
func userMemory(to, arg int16, size int32, helper asm.BuiltinFunc) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(stack+to)), asm.Mov.Imm(asm.R2, size),
		asm.LoadMem(asm.R3, asm.RFP, stack+arg, asm.DWord), helper.Call(),
	}
}

package probe

import "github.com/cilium/ebpf/asm"

// Space is what the programs hold of a watched pid namespace.
type space struct {
	Ignored, User uint32 // User is the inode of its user namespace
	Mask          uint64 // of capabilities that are its own
	Began, Lost   uint64
	Counts        [parts]uint64
}

// The parts of a window: what a container can do often, at no cost, does not push
// out what it does once.
const (
	ofExecs = iota
	ofCapabilities
	ofSockets
	ofTries  // openings that failed
	ofTraces // ptrace and its like
	ofSpaces // namespaces that were made or entered
	ofOthers
	parts
)

// The most events of one container in a part of a window: the rest is counted, so
// that one container does not push out what others do.
const (
	windowNS   = 100_000_000
	callsOfOne = 400
	execsOfOne = 4000
)

// The places in space.
const inUser, inMask, inBegan, inLost, inCounts = 4, 8, 16, 24, 32

// countsIn leaves the place of a part of the window in R6.
func countsIn(part int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Reg(asm.R6, asm.R9), asm.Add.Imm(asm.R6, inCounts+8*part)}
}

// within goes to "out" where the container has had what is its own of a part of the
// window, whose count is at an offset of a register.
func within(base asm.Register, count int16, most int32) asm.Instructions {
	all := asm.Instructions{
		asm.FnKtimeGetNs.Call(),
		asm.LoadMem(asm.R1, asm.R9, inBegan, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R0), asm.Sub.Reg(asm.R2, asm.R1),
		asm.JLT.Imm(asm.R2, windowNS, "counted"),
		asm.StoreMem(asm.R9, inBegan, asm.R0, asm.DWord),
		asm.Mov.Imm(asm.R1, 0),
	}
	for part := range int16(parts) {
		all = append(all, asm.StoreMem(asm.R9, inCounts+8*part, asm.R1, asm.DWord))
	}
	return append(all,
		asm.Mov.Imm(asm.R1, 1).WithSymbol("counted"),
		asm.AddAtomic.Mem(base, asm.R1, asm.DWord, count),
		asm.LoadMem(asm.R2, base, count, asm.DWord),
		asm.JLE.Imm(asm.R2, most, "room"),
		asm.AddAtomic.Mem(asm.R9, asm.R1, asm.DWord, inLost),
		asm.Ja.Label("out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("room"),
	)
}

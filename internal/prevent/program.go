package prevent

import (
	"fmt"

	"github.com/cilium/ebpf/asm"

	pins "github.com/hatchdog/hatchdog/internal/effects/prevent"
)

// Places on the stack of a program.
const (
	atGroup   = -8  // the id of a control group, the map's key
	atRead    = -16 // what was read from the kernel last
	atDenied  = -24 // what the container found is denied
	atLevel   = -32 // of its pid namespace
	atInode   = -40 // of its pid namespace
	atMatched = -48 // the control group that was found
	atDepth   = -56 // its depth
	atFlags   = -64 // of the mount that a file was opened on
	atRoot    = -72 // the device of the container's root file system
	atSince   = -80 // when the container was entered
	atItsRoot = -88 // the two, of the container that is looked at
	atItsTime = -96
)

// get reads size bytes (4 or 8) at an offset from a register into R0. R1 to R5 are
// lost.
func get(from asm.Register, offset int32, size asm.Size) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R3, from),
		asm.Add.Imm(asm.R3, offset),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.RFP, atRead, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.RFP),
		asm.Add.Imm(asm.R1, atRead),
		asm.Mov.Imm(asm.R2, int32(size.Sizeof())), //nolint:gosec // 4 or 8
		asm.FnProbeReadKernel.Call(),
		asm.LoadMem(asm.R0, asm.RFP, atRead, size),
	}
}

// into keeps R0.
func into(r asm.Register) asm.Instructions {
	return asm.Instructions{asm.Mov.Reg(r, asm.R0)}
}

func join(parts ...asm.Instructions) asm.Instructions {
	var all asm.Instructions
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// program answers EPERM where a container does what it is denied. held is the
// descriptor of the map, R6 is the hook's
// arguments, R7 what the task is denied.
func program(h hook, held int, o offsets) asm.Instructions {
	all := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	if h.early != nil {
		all = append(all, h.early(o)...)
	}
	all = append(all, find(held, o)...)
	all = append(all,
		asm.And.Imm(asm.R7, int32(h.deny)), //nolint:gosec // a bit
		asm.JEq.Imm(asm.R7, 0, "out"),
	)
	if h.body != nil {
		all = append(all, h.body(o)...)
	}
	const eperm = -1
	return append(all,
		asm.Mov.Imm(asm.R0, eperm).WithSymbol("deny"),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("out"),
		asm.Return(),
	)
}

// find looks for the container that the task belongs to: one of its control groups
// is in the map, and its pid namespace is the container's or below it. The low-level
// runtime is in the group before it is in the namespace, and is let be. No process
// leaves its namespace, and its group only who can write to the tree of them. R8 and R9 are lost.
func find(held int, o offsets) asm.Instructions {
	all := join(
		asm.Instructions{asm.FnGetCurrentTask.Call()},
		into(asm.R8), get(asm.R8, o.taskPid, asm.DWord), into(asm.R8),
		get(asm.R8, o.pidLevel, asm.Word), into(asm.R9),
		asm.Instructions{asm.Mov.Imm(asm.R7, 0)},
	)
	for depth := int32(1); depth <= pins.Deepest; depth++ {
		all = append(all, at(depth, held, o)...)
	}
	return append(all, asm.Mov.Imm(asm.R0, 0).WithSymbol("found"))
}

// at looks at the task's control group of one depth.
func at(depth int32, held int, o offsets) asm.Instructions {
	next := fmt.Sprintf("below%d", depth)
	return join(
		asm.Instructions{
			asm.Mov.Imm(asm.R1, depth),
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.JEq.Imm(asm.R0, 0, "found"), // it has none so deep
			asm.StoreMem(asm.RFP, atGroup, asm.R0, asm.DWord),
			asm.LoadMapPtr(asm.R1, held),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, atGroup),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, next),
			asm.LoadMem(asm.R1, asm.R0, pins.AtDenied, asm.Word),
			asm.StoreMem(asm.RFP, atDenied, asm.R1, asm.DWord),
			asm.LoadMem(asm.R2, asm.R0, pins.AtLevel, asm.Word),
			asm.LoadMem(asm.R1, asm.R0, pins.AtInode, asm.Word),
			asm.StoreMem(asm.RFP, atInode, asm.R1, asm.DWord),
			asm.LoadMem(asm.R1, asm.R0, pins.AtRoot, asm.Word),
			asm.StoreMem(asm.RFP, atItsRoot, asm.R1, asm.DWord),
			asm.LoadMem(asm.R1, asm.R0, pins.AtSince, asm.DWord),
			asm.StoreMem(asm.RFP, atItsTime, asm.R1, asm.DWord),
			asm.JGT.Reg(asm.R2, asm.R9, next), // the task's pid namespace lies above
			asm.Mul.Imm(asm.R2, o.upidSize),
			asm.Add.Reg(asm.R2, asm.R8),
			asm.StoreMem(asm.RFP, atLevel, asm.R2, asm.DWord),
			asm.LoadMem(asm.R4, asm.RFP, atLevel, asm.DWord),
		},
		get(asm.R4, o.pidNumbers, asm.DWord),
		asm.Instructions{asm.Mov.Reg(asm.R4, asm.R0)},
		get(asm.R4, o.nsInode, asm.Word),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, atInode, asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, next),
			asm.LoadMem(asm.R1, asm.RFP, atDenied, asm.DWord),
			asm.Or.Reg(asm.R7, asm.R1),
			asm.LoadMem(asm.R1, asm.RFP, atItsRoot, asm.DWord),
			asm.StoreMem(asm.RFP, atRoot, asm.R1, asm.DWord),
			asm.LoadMem(asm.R1, asm.RFP, atItsTime, asm.DWord),
			asm.StoreMem(asm.RFP, atSince, asm.R1, asm.DWord),
			asm.LoadMem(asm.R1, asm.RFP, atGroup, asm.DWord),
			asm.StoreMem(asm.RFP, atMatched, asm.R1, asm.DWord),
			asm.Mov.Imm(asm.R1, depth),
			asm.StoreMem(asm.RFP, atDepth, asm.R1, asm.DWord),
			asm.Mov.Imm(asm.R0, 0).WithSymbol(next),
		},
	)
}

// sweep takes out a control group that is removed.
func sweep(held int, o offsets) asm.Instructions {
	return join(
		asm.Instructions{asm.LoadMem(asm.R6, asm.R1, 0, asm.DWord)},
		get(asm.R6, o.cgroupNode, asm.DWord), into(asm.R6), get(asm.R6, o.nodeID, asm.DWord),
		asm.Instructions{
			asm.StoreMem(asm.RFP, atGroup, asm.R0, asm.DWord),
			asm.LoadMapPtr(asm.R1, held),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, atGroup),
			asm.FnMapDeleteElem.Call(),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		},
	)
}

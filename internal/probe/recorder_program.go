package probe

import (
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// The layout of what is counted. A key of counts is the beginning of one of texts.
const (
	ofInode, ofStart, ofKind, ofWhat, ofArg, ofText = 0, 8, 16, 24, 32, 40
	countKey, textSize                              = 40, 192
	textKey                                         = countKey + textSize

	ofCount, ofFirst, ofLast, ofFirstBy, ofLastBy = 0, 8, 16, 24, 40
	valueSize                                     = 56

	// A state is what is known of a pid namespace.
	ofMode, ofCounts, ofTexts, ofLost, ofFiles = 0, 8, 16, 24, 32
	stateSize                                  = 40

	// The stack.
	sKey, sValue                 = -248, -304
	sFile, sInode, sOne, sTwo    = -312, -320, -328, -336
	sRegs, sBy, sNumber, sReturn = -344, -360, -368, -376
	sState                       = -416
)

// callsMost is above the highest number of a system call.
const callsMost = 512

// watch are the maps that the programs of a Recorder share.
type watch struct{ states, counts, texts, calls, values, lost *ebpf.Map }

// get reads kernel memory at a pointer on the stack, plus an offset.
func get(to int16, size int32, from int16, off int32) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R3, asm.RFP, from, asm.DWord), asm.Add.Imm(asm.R3, off),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(to)), asm.Mov.Imm(asm.R2, size), asm.FnProbeReadKernel.Call(),
	}
}

// chase follows pointers from the one at from, and leaves what it finds at to.
func chase(to int16, size int32, from int16, offs ...int32) asm.Instructions {
	var all asm.Instructions
	for _, off := range offs[:len(offs)-1] {
		all = append(all, get(sState, 8, from, off)...)
		from = sState
	}
	return join(all, zero(to, 8), get(to, size, from, offs[len(offs)-1]))
}

// zero clears words of the stack, upwards from at.
func zero(at int16, size int16) asm.Instructions {
	all := asm.Instructions{asm.Mov.Imm(asm.R0, 0)}
	for i := int16(0); i < size; i += 8 {
		all = append(all, asm.StoreMem(asm.RFP, at+i, asm.R0, asm.DWord))
	}
	return all
}

func put(at int16, value int64) asm.Instructions {
	return asm.Instructions{asm.LoadImm(asm.R0, value, asm.DWord), asm.StoreMem(asm.RFP, at, asm.R0, asm.DWord)}
}

// runtimes are how the names of the low-level runtimes' own processes begin. A name
// ends with a zero byte.
func runtimes() []string { return []string{"runc:[", "crun\x00"} }

// OfRuntime is true for the name of a process of the low-level runtime's own.
func OfRuntime(comm string) bool {
	return slices.ContainsFunc(runtimes(), func(name string) bool { return strings.HasPrefix(comm+"\x00", name) })
}

// named goes to "out" for the low-level runtime's own processes: they have its
// name until they execute the container's program. Who takes such a name later is
// not seen, and is given nothing.
func named() asm.Instructions {
	all := join(zero(sBy, 16), asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sBy), asm.Mov.Imm(asm.R2, 16), asm.FnGetCurrentComm.Call(),
	})
	for _, name := range runtimes() {
		var word, mask uint64
		for i := range len(name) {
			word |= uint64(name[i]) << (8 * i)
			mask |= 0xff << (8 * i)
		}
		all = append(all,
			asm.LoadMem(asm.R0, asm.RFP, sBy, asm.DWord),
			asm.LoadImm(asm.R1, int64(mask), asm.DWord), asm.And.Reg(asm.R0, asm.R1), //nolint:gosec // bits
			asm.LoadImm(asm.R1, int64(word), asm.DWord), asm.JEq.Reg(asm.R0, asm.R1, "out"), //nolint:gosec // bits
		)
	}
	return all
}

// contained goes to "out" for a task of no container, or of one that is of no
// interest. Else the key begins with its pid namespace, the first below the
// host's, and R7 points to the state of that.
func contained(w watch, o recorderOffsets) asm.Instructions {
	look := asm.Instructions{
		asm.LoadMapPtr(asm.R1, w.states.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sKey), asm.FnMapLookupElem.Call(),
	}
	return join(
		zero(sKey, countKey),
		asm.Instructions{asm.FnGetCurrentTask.Call(), asm.StoreMem(asm.RFP, sOne, asm.R0, asm.DWord)},
		get(sTwo, 8, sOne, o.pid), zero(sOne, 8), get(sOne, 4, sTwo, o.level),
		asm.Instructions{asm.LoadMem(asm.R0, asm.RFP, sOne, asm.Word), asm.JEq.Imm(asm.R0, 0, "out")},
		get(sOne, 8, sTwo, o.namespace), get(sKey+ofInode, 4, sOne, o.inode),
		get(sTwo, 8, sOne, o.reaper), get(sKey+ofStart, 8, sTwo, o.started),
		look,
		asm.Instructions{asm.JNE.Imm(asm.R0, 0, "known")},
		zero(sState, stateSize),
		asm.Instructions{
			asm.LoadMapPtr(asm.R1, w.states.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sKey),
			asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, sState), asm.Mov.Imm(asm.R4, 1), asm.FnMapUpdateElem.Call(),
		},
		look,
		asm.Instructions{
			asm.JNE.Imm(asm.R0, 0, "known"),
			asm.StoreImm(asm.RFP, sOne, 0, asm.Word),
			asm.LoadMapPtr(asm.R1, w.lost.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sOne), asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "out"), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
			asm.Ja.Label("out"),
			asm.Mov.Reg(asm.R7, asm.R0).WithSymbol("known"),
			asm.LoadMem(asm.R0, asm.R7, ofMode, asm.DWord),
			asm.JEq.Imm(asm.R0, int32(ignored), "out"),
		},
	)
}

// native goes to "out" for a call of 32-bit programs: its number means another.
func native(o recorderOffsets) asm.Instructions {
	return join(
		asm.Instructions{asm.FnGetCurrentTask.Call(), asm.StoreMem(asm.RFP, sOne, asm.R0, asm.DWord)},
		chase(sTwo, 4, sOne, o.status),
		asm.Instructions{asm.LoadMem(asm.R0, asm.RFP, sTwo, asm.Word), asm.And.Imm(asm.R0, threadCompat), asm.JNE.Imm(asm.R0, 0, "out")},
	)
}

// count adds one to what the key on the stack names. A namespace has so many
// entries and no more: what finds no room is counted as lost. It ends at "out".
func count(m *ebpf.Map, room int16, most int32, label string) asm.Instructions {
	all := asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sKey), asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, label+"new"),
		asm.Mov.Reg(asm.R9, asm.R0), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R9, asm.R1, asm.DWord, ofCount),
		asm.FnKtimeGetBootNs.Call(), asm.StoreMem(asm.R9, ofLast, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R9), asm.Add.Imm(asm.R1, ofLastBy), asm.Mov.Imm(asm.R2, 16), asm.FnGetCurrentComm.Call(),
		asm.Ja.Label("out"),
		asm.LoadMem(asm.R0, asm.R7, room, asm.DWord).WithSymbol(label + "new"),
		asm.JGE.Imm(asm.R0, most, label+"lost"),
		asm.Mov.Imm(asm.R0, 1), asm.StoreMem(asm.RFP, sValue+ofCount, asm.R0, asm.DWord),
		asm.FnKtimeGetBootNs.Call(),
		asm.StoreMem(asm.RFP, sValue+ofFirst, asm.R0, asm.DWord), asm.StoreMem(asm.RFP, sValue+ofLast, asm.R0, asm.DWord),
	}
	for i := int16(0); i < 16; i += 8 {
		all = append(all, asm.LoadMem(asm.R0, asm.RFP, sBy+i, asm.DWord),
			asm.StoreMem(asm.RFP, sValue+ofFirstBy+i, asm.R0, asm.DWord), asm.StoreMem(asm.RFP, sValue+ofLastBy+i, asm.R0, asm.DWord))
	}
	const exists = -17
	return append(all,
		asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sKey),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, sValue), asm.Mov.Imm(asm.R4, 1), asm.FnMapUpdateElem.Call(),
		asm.JEq.Imm(asm.R0, exists, "out"),
		asm.JNE.Imm(asm.R0, 0, label+"lost"),
		asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, room),
		asm.Ja.Label("out"),
		asm.Mov.Imm(asm.R1, 1).WithSymbol(label+"lost"), asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, ofLost),
		asm.Ja.Label("out"),
	)
}

func (w watch) count(label string) asm.Instructions {
	return count(w.counts, ofCounts, countsMost, label)
}

func (w watch) text(label string) asm.Instructions {
	return count(w.texts, ofTexts, textsMost, label)
}

// called counts a call that reached the kernel: behind the container's filter.
func called(w watch, o recorderOffsets) asm.Instructions {
	all := join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R8, asm.R6, 8, asm.DWord),
			asm.JGE.Imm(asm.R8, callsMost, "out"),
		},
		contained(w, o), native(o), named(),
		put(sKey+ofKind, int64(KindCall)),
		asm.Instructions{
			asm.StoreMem(asm.RFP, sKey+ofWhat, asm.R8, asm.DWord),
			asm.LoadMem(asm.R0, asm.R6, 0, asm.DWord), asm.StoreMem(asm.RFP, sRegs, asm.R0, asm.DWord),
			asm.StoreMem(asm.RFP, sOne, asm.R8, asm.Word),
			asm.LoadMapPtr(asm.R1, w.calls.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sOne), asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "out"),
			asm.Mov.Reg(asm.R6, asm.R0), // the context is read
			asm.Mov.Imm(asm.R8, 0),
			asm.LoadMem(asm.R0, asm.R6, atPart, asm.Word),
			asm.JEq.Imm(asm.R0, 0, "plain"),
		},
	)
	for i := range int16(partsMost) {
		at := atPart + partSize*i
		all = append(all, join(zero(sTwo, 8), asm.Instructions{
			asm.LoadMem(asm.R3, asm.RFP, sRegs, asm.DWord), asm.LoadMem(asm.R0, asm.R6, at, asm.Word), asm.Add.Reg(asm.R3, asm.R0),
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sTwo), asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadKernel.Call(),
			asm.LoadMem(asm.R0, asm.RFP, sTwo, asm.DWord),
			asm.LoadMem(asm.R1, asm.R6, at+8, asm.DWord), asm.And.Reg(asm.R0, asm.R1),
			asm.LoadMem(asm.R1, asm.R6, at+4, asm.Word), asm.LSh.Reg(asm.R0, asm.R1),
			asm.Or.Reg(asm.R8, asm.R0),
		})...)
	}
	return append(all, join(
		asm.Instructions{ // values that the tables do not tell apart are one
			asm.StoreMem(asm.RFP, sKey+ofArg, asm.R8, asm.DWord),
			asm.LoadMapPtr(asm.R1, w.values.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sKey+ofWhat), asm.FnMapLookupElem.Call(),
			asm.JNE.Imm(asm.R0, 0, "plain"),
			asm.LoadImm(asm.R8, -1, asm.DWord),
			asm.StoreMem(asm.RFP, sKey+ofArg, asm.R8, asm.DWord).WithSymbol("plain"),
		},
		w.count("c"), end(),
	)...)
}

// used counts a capability that the task itself used: not one of the credentials
// that overlayfs, for one, puts on for a moment, which are those of who mounted it.
func used(w watch, o recorderOffsets) asm.Instructions {
	return join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R0, asm.R6, 32, asm.Word), asm.JNE.Imm(asm.R0, 0, "out"),
			asm.LoadMem(asm.R8, asm.R6, 24, asm.Word), asm.JGE.Imm(asm.R8, 64, "out"),
		},
		contained(w, o), named(),
		asm.Instructions{asm.FnGetCurrentTask.Call(), asm.StoreMem(asm.RFP, sOne, asm.R0, asm.DWord)},
		get(sTwo, 8, sOne, o.credentials),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sTwo, asm.DWord), asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord), asm.JNE.Reg(asm.R0, asm.R1, "out"),
		},
		put(sKey+ofKind, int64(KindCapability)),
		asm.Instructions{asm.StoreMem(asm.RFP, sKey+ofWhat, asm.R8, asm.DWord)},
		w.count("c"), end(),
	)
}

// executed counts a program that took a process over.
func executed(w watch, o recorderOffsets) asm.Instructions {
	return join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R0, asm.R6, 16, asm.DWord), asm.StoreMem(asm.RFP, sRegs, asm.R0, asm.DWord),
		},
		contained(w, o), named(),
		put(sKey+ofKind, int64(KindProgram)),
		get(sTwo, 8, sRegs, o.filename), zero(sKey+ofText, textSize),
		asm.Instructions{
			asm.LoadMem(asm.R3, asm.RFP, sTwo, asm.DWord), asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sKey+ofText),
			asm.Mov.Imm(asm.R2, textSize), asm.FnProbeReadKernelStr.Call(),
		},
		w.text("t"), end(),
	)
}

package probe

import "github.com/cilium/ebpf/asm"

// The values of open's flags (asm-generic/fcntl.h), and of modes (stat.h).
const (
	accessMode   = 0o3
	writes       = 0o1 | 0o2 | 0o100 | 0o1000 // O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
	createFlags  = 0o1101
	kindOfFile   = 0o170000
	charDevice   = 0o020000
	blockDevice  = 0o060000
	regularFile  = 0o100000
	errInProcess = -115
	hereFD       = -100 // AT_FDCWD
)

// argument reads the argument of a call that field of its shape places in pt_regs.
func argument(to, field int16) asm.Instructions {
	return join(zero(to, 8), asm.Instructions{
		asm.LoadMem(asm.R3, asm.RFP, sRegs, asm.DWord), asm.LoadMem(asm.R0, asm.R6, field, asm.Byte), asm.Add.Reg(asm.R3, asm.R0),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(to)), asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadKernel.Call(),
	})
}

// text reads what the pointer at from points to in the process, into the key.
func userText(from int16, size int32, helper asm.BuiltinFunc) asm.Instructions {
	return join(zero(sKey+ofText, textSize), asm.Instructions{
		asm.LoadMem(asm.R3, asm.RFP, from, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sKey+ofText), asm.Mov.Imm(asm.R2, size), helper.Call(),
	})
}

// file finds the open file that the number at from stands for.
func file(to, from int16, o recorderOffsets) asm.Instructions {
	return join(
		asm.Instructions{asm.FnGetCurrentTask.Call(), asm.StoreMem(asm.RFP, to, asm.R0, asm.DWord)},
		get(to, 8, to, o.files), get(to, 8, to, o.table), get(to, 8, to, o.entries),
		asm.Instructions{
			asm.LoadMem(asm.R3, asm.RFP, to, asm.DWord), asm.LoadMem(asm.R0, asm.RFP, from, asm.Word),
			asm.LSh.Imm(asm.R0, 3), asm.Add.Reg(asm.R3, asm.R0),
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(to)), asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadKernel.Call(),
		},
	)
}

// returned tells of calls by what they came to: files opened for writing, devices,
// sockets bound and connected, names changed.
func returned(w watch, o recorderOffsets) asm.Instructions {
	is := func(class Class, label string) asm.Instruction { return asm.JEq.Imm(asm.R8, int32(class), label) }
	head := join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R0, asm.R6, 0, asm.DWord), asm.StoreMem(asm.RFP, sRegs, asm.R0, asm.DWord),
			asm.LoadMem(asm.R0, asm.R6, 8, asm.DWord), asm.StoreMem(asm.RFP, sReturn, asm.R0, asm.DWord),
		},
		zero(sNumber, 8), get(sNumber, 8, sRegs, atNumber),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sNumber, asm.DWord), asm.JGE.Imm(asm.R0, callsMost, "out"),
			asm.StoreMem(asm.RFP, sOne, asm.R0, asm.Word),
			asm.LoadMapPtr(asm.R1, w.calls.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sOne), asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "out"),
			asm.Mov.Reg(asm.R6, asm.R0),
			asm.LoadMem(asm.R8, asm.R6, atClass, asm.Byte), asm.JEq.Imm(asm.R8, 0, "out"),
			asm.LoadMem(asm.R0, asm.RFP, sReturn, asm.DWord),
			asm.JSGE.Imm(asm.R0, 0, "well"),
			is(classConnect, "trying"),
			asm.Ja.Label("out"),
			asm.JNE.Imm(asm.R0, errInProcess, "out").WithSymbol("trying"),
		},
		labelled("well", contained(w, o)), native(o), named(),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.R6, atGives, asm.Byte), asm.JEq.Imm(asm.R0, 0, "kinds"),
			asm.LoadMem(asm.R0, asm.RFP, sReturn, asm.DWord), asm.LoadMem(asm.R1, asm.R7, ofFiles, asm.DWord),
			asm.JLE.Reg(asm.R0, asm.R1, "kinds"), asm.StoreMem(asm.R7, ofFiles, asm.R0, asm.DWord),
			is(classOpen, "open").WithSymbol("kinds"), is(classOpen2, "open"), is(classCreate, "open"), is(classChange, "change"),
			is(classBind, "address"), is(classConnect, "address"), is(classSend, "address"), is(classMessage, "message"),
			asm.Ja.Label("out"),
		},
	)
	return join(head, opened(w, o), changed(w, o), addressed(w, o), end())
}

func opened(w watch, o recorderOffsets) asm.Instructions {
	return join(
		labelled("open", argument(sTwo, atSecondArg)), // flags
		asm.Instructions{
			asm.JNE.Imm(asm.R8, int32(classOpen2), "noHow"),
			asm.LoadMem(asm.R3, asm.RFP, sTwo, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sTwo), asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadUser.Call(),
			asm.JNE.Imm(asm.R8, int32(classCreate), "flags").WithSymbol("noHow"),
			asm.Mov.Imm(asm.R0, createFlags), asm.StoreMem(asm.RFP, sTwo, asm.R0, asm.DWord),
		},
		labelled("flags", file(sFile, sReturn, o)),
		chase(sInode, 8, sFile, o.fileInode),
		chase(sOne, 2, sInode, o.mode),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sOne, asm.DWord), asm.And.Imm(asm.R0, kindOfFile),
			asm.Mov.Imm(asm.R9, 0),
			asm.JEq.Imm(asm.R0, charDevice, "device"),
			asm.Mov.Imm(asm.R9, 4),
			asm.JNE.Imm(asm.R0, blockDevice, "regular"),
		},
		labelled("device", put(sKey+ofKind, int64(KindDevice))),
		chase(sKey+ofWhat, 4, sInode, o.device),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sTwo, asm.DWord), asm.And.Imm(asm.R0, accessMode), asm.Or.Reg(asm.R0, asm.R9),
			asm.StoreMem(asm.RFP, sKey+ofArg, asm.R0, asm.DWord),
		},
		w.count("d"),
		asm.Instructions{
			asm.JNE.Imm(asm.R0, regularFile, "out").WithSymbol("regular"),
			asm.LoadMem(asm.R0, asm.RFP, sTwo, asm.DWord), asm.And.Imm(asm.R0, writes), asm.JEq.Imm(asm.R0, 0, "out"),
		},
		put(sKey+ofKind, int64(KindWrite)),
		chase(sKey+ofArg, 4, sInode, o.super, o.superDevice),
		argument(sOne, atFirstArg), userText(sOne, textSize, asm.FnProbeReadUserStr),
		w.text("o"),
	)
}

func changed(w watch, o recorderOffsets) asm.Instructions {
	return join(
		labelled("change", argument(sOne, atFirstArg)), userText(sOne, textSize, asm.FnProbeReadUserStr),
		put(sKey+ofKind, int64(KindWrite)),
		asm.Instructions{ // an absolute path says where it is
			asm.LoadMem(asm.R0, asm.RFP, sKey+ofText, asm.Byte), asm.JEq.Imm(asm.R0, '/', "named"),
			asm.LoadMem(asm.R0, asm.R6, atSecondArg, asm.Byte), asm.JEq.Imm(asm.R0, noArg, "here"),
		},
		argument(sTwo, atSecondArg),
		asm.Instructions{asm.LoadMem(asm.R0, asm.RFP, sTwo, asm.Word), asm.LoadImm(asm.R1, hereFD&0xffffffff, asm.DWord), asm.JEq.Reg(asm.R0, asm.R1, "here")},
		file(sFile, sTwo, o), chase(sKey+ofArg, 4, sFile, o.fileInode, o.super, o.superDevice),
		asm.Instructions{asm.Ja.Label("named")},
		labelled("here", asm.Instructions{asm.FnGetCurrentTask.Call(), asm.StoreMem(asm.RFP, sTwo, asm.R0, asm.DWord)}),
		chase(sKey+ofArg, 4, sTwo, o.fs, o.pwd, o.dentrySuper, o.superDevice),
		labelled("named", w.text("n")),
	)
}

func addressed(w watch, o recorderOffsets) asm.Instructions {
	const inet, inet6 = 2, 10
	return join(
		labelled("message", argument(sOne, atSecondArg)), // a msghdr, which begins with the address
		asm.Instructions{
			asm.LoadMem(asm.R3, asm.RFP, sOne, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sOne), asm.Mov.Imm(asm.R2, 8), asm.FnProbeReadUser.Call(),
			asm.Ja.Label("pointed"),
		},
		labelled("address", argument(sOne, atSecondArg)),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sOne, asm.DWord).WithSymbol("pointed"), asm.JEq.Imm(asm.R0, 0, "out"),
		},
		userText(sOne, sockaddrSize, asm.FnProbeReadUser),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, sKey+ofText, asm.Half),
			asm.JEq.Imm(asm.R0, inet, "inet"), asm.JNE.Imm(asm.R0, inet6, "out"),
			// The bytes behind the address do not count: they may be anything.
			asm.Mov.Imm(asm.R1, 0), asm.StoreMem(asm.RFP, sKey+ofText+24, asm.R1, asm.DWord),
			asm.StoreMem(asm.RFP, sKey+ofText+4, asm.R1, asm.Word),
			asm.Ja.Label("port"),
			asm.Mov.Imm(asm.R1, 0).WithSymbol("inet"),
			asm.StoreMem(asm.RFP, sKey+ofText+8, asm.R1, asm.DWord), asm.StoreMem(asm.RFP, sKey+ofText+16, asm.R1, asm.DWord),
			asm.StoreMem(asm.RFP, sKey+ofText+24, asm.R1, asm.DWord),
			asm.LoadMem(asm.R0, asm.RFP, sKey+ofText+2, asm.Half).WithSymbol("port"), asm.JEq.Imm(asm.R0, 0, "out"),
		},
		argument(sTwo, atFirstArg), file(sFile, sTwo, o), chase(sKey+ofArg, 2, sFile, o.private, o.socketType),
		put(sKey+ofKind, int64(KindReach)),
		asm.Instructions{asm.JNE.Imm(asm.R8, int32(classBind), "kept")},
		put(sKey+ofKind, int64(KindListen)),
		labelled("kept", w.text("a")),
	)
}

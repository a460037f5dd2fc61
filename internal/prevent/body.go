package prevent

import "github.com/cilium/ebpf/asm"

// Numbers of the kernel's headers, and places among a hook's arguments.
const (
	protExec       = 0x4        // PROT_EXEC
	overlayMagic   = 0x794c7630 // OVERLAYFS_SUPER_MAGIC
	tmpfsMagic     = 0x01021994 // TMPFS_MAGIC, and that of a memfd
	hugeMagic      = 0x958458f6 // HUGETLBFS_MAGIC
	fuseMagic      = 0x65735546 // FUSE_SUPER_MAGIC
	mountReadonly  = 0x40       // MNT_READONLY
	superReadonly  = 1          // SB_RDONLY
	second         = 1e9        // in nanoseconds
	nanosOnly      = 1<<30 - 1  // the top bit is I_CTIME_QUERIED of 6.13 and newer
	firstArgument  = 0
	secondArgument = 16 // the third word: mmap_file and file_mprotect have prot there
)

// execBody judges the file of bprm_check_security(bprm).
func execBody(o offsets) asm.Instructions {
	return join(
		asm.Instructions{asm.LoadMem(asm.R8, asm.R6, firstArgument, asm.DWord)},
		get(asm.R8, o.bprmFile, asm.DWord), into(asm.R8), file(o),
	)
}

// mmapEarly lets mappings be that are not to run, and those of no file.
func mmapEarly(offsets) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R0, asm.R6, secondArgument, asm.DWord),
		asm.And.Imm(asm.R0, protExec),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.LoadMem(asm.R0, asm.R6, firstArgument, asm.DWord),
		asm.JEq.Imm(asm.R0, 0, "out"),
	}
}

// mmapBody judges the file of mmap_file(file, reqprot, prot, flags).
func mmapBody(o offsets) asm.Instructions {
	return join(asm.Instructions{asm.LoadMem(asm.R8, asm.R6, firstArgument, asm.DWord)}, file(o))
}

// mprotectEarly lets mappings be that are not to run.
func mprotectEarly(offsets) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R0, asm.R6, secondArgument, asm.DWord),
		asm.And.Imm(asm.R0, protExec),
		asm.JEq.Imm(asm.R0, 0, "out"),
	}
}

// mprotectBody judges the file of file_mprotect(vma, reqprot, prot).
func mprotectBody(o offsets) asm.Instructions {
	return join(
		asm.Instructions{asm.LoadMem(asm.R8, asm.R6, firstArgument, asm.DWord)},
		get(asm.R8, o.areaFile, asm.DWord), into(asm.R8),
		asm.Instructions{asm.JEq.Imm(asm.R8, 0, "out")}, // memory of no file
		file(o),
	)
}

// file denies R8, a file, unless it is the image's or lies where nothing in the
// container can have written: on the overlay that is the container's root what has no
// upper part, never in memory, elsewhere what is on a read-only mount and was not
// changed since the container was entered. It asks the entry of the path, which stands
// for what the container sees: the inode of a mapping of an overlay is that of the layer.
func file(o offsets) asm.Instructions {
	return join(
		get(asm.R8, o.fileMount, asm.DWord), into(asm.R9),
		get(asm.R9, o.mountFlags, asm.Word),
		asm.Instructions{asm.StoreMem(asm.RFP, atFlags, asm.R0, asm.DWord)},
		get(asm.R8, o.fileEntry, asm.DWord), into(asm.R9),
		get(asm.R9, o.entryInode, asm.DWord), into(asm.R8),
		asm.Instructions{asm.JEq.Imm(asm.R8, 0, "deny")},
		get(asm.R8, o.inodeSuper, asm.DWord), into(asm.R9),
		get(asm.R9, o.superDevice, asm.Word),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, atRoot, asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, "other"),
		},
		get(asm.R9, o.superMagic, asm.DWord),
		asm.Instructions{
			asm.LoadImm(asm.R1, overlayMagic, asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, "other"),
		},
		get(asm.R8, o.overlayUpper, asm.DWord),
		asm.Instructions{
			asm.JEq.Imm(asm.R0, 0, "out"),
			asm.Ja.Label("deny"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("other"),
		},
		readOnly(o),
		unchanged(o),
	)
}

// readOnly denies what is in memory, on a mount that can be written, or in a file
// system whose times a program of its own tells. R8 is the inode, R9 its file system.
func readOnly(o offsets) asm.Instructions {
	return join(
		get(asm.R9, o.superMagic, asm.DWord),
		asm.Instructions{
			asm.LoadImm(asm.R1, tmpfsMagic, asm.DWord),
			asm.JEq.Reg(asm.R0, asm.R1, "deny"),
			asm.LoadImm(asm.R1, hugeMagic, asm.DWord),
			asm.JEq.Reg(asm.R0, asm.R1, "deny"),
			asm.LoadImm(asm.R1, fuseMagic, asm.DWord),
			asm.JEq.Reg(asm.R0, asm.R1, "deny"),
			asm.LoadMem(asm.R1, asm.RFP, atFlags, asm.DWord),
			asm.And.Imm(asm.R1, mountReadonly),
			asm.JNE.Imm(asm.R1, 0, "readonly"),
		},
		get(asm.R9, o.superFlags, asm.DWord),
		asm.Instructions{
			asm.And.Imm(asm.R0, superReadonly),
			asm.JEq.Imm(asm.R0, 0, "deny"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("readonly"),
		},
	)
}

// unchanged lets R8 be, an inode that was changed before the container was entered.
// The code after it denies.
func unchanged(o offsets) asm.Instructions {
	return join(
		get(asm.R8, o.changed, asm.DWord),
		asm.Instructions{
			asm.Mul.Imm(asm.R0, second),
			asm.StoreMem(asm.RFP, atFlags, asm.R0, asm.DWord),
		},
		get(asm.R8, o.changedNanos, asm.Word),
		asm.Instructions{
			asm.And.Imm(asm.R0, nanosOnly),
			asm.LoadMem(asm.R1, asm.RFP, atFlags, asm.DWord),
			asm.Add.Reg(asm.R0, asm.R1),
			asm.LoadMem(asm.R1, asm.RFP, atSince, asm.DWord),
			asm.JLT.Reg(asm.R0, asm.R1, "out"),
		},
	)
}

// ptraceBody judges the task of ptrace_access_check(child, mode): it has to be in the
// control group that the container was found by.
func ptraceBody(o offsets) asm.Instructions {
	return join(
		asm.Instructions{asm.LoadMem(asm.R8, asm.R6, firstArgument, asm.DWord)},
		get(asm.R8, o.taskGroups, asm.DWord), into(asm.R8),
		get(asm.R8, o.groupsDefault, asm.DWord), into(asm.R8),
		get(asm.R8, o.cgroupLevel, asm.Word),
		asm.Instructions{
			asm.LoadMem(asm.R9, asm.RFP, atDepth, asm.DWord),
			asm.JLT.Reg(asm.R0, asm.R9, "deny"), // it lies above
			asm.LSh.Imm(asm.R9, 3),
			asm.Add.Reg(asm.R9, asm.R8),
		},
		get(asm.R9, o.cgroupAncestors, asm.DWord),
		o.ancestorID(),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, atMatched, asm.DWord),
			asm.JEq.Reg(asm.R0, asm.R1, "out"),
		},
	)
}

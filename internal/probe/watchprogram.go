package probe

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// The layout of a Sight in bytes. The stack holds it, and below it two words.
const (
	atKindSeen, atSpaceSeen, atPidSeen, atUIDSeen          = 0, 4, 8, 16
	atMountSeen, atUserSeen, atFlagsSeen, atParentSeen     = 24, 28, 32, 36
	atRootInoSeen, atRootDevSeen, atOldUIDSeen, atNameSeen = 40, 48, 52, 56
	atInoSeen, atMagicSeen, atDevSeen, atLinksSeen         = 72, 80, 88, 92
	atUpperSeen, atChangedSeen                             = 96, 104
	atChangedNSSeen, atMountIDSeen, atModeSeen             = 112, 116, 120
	atCallSeen, atReturnSeen, atArgsSeen                   = 124, 128, 136 // a capability is told in the first two
	atFileSeen, fileNameSize                               = 184, 40
	atPathSeen, atPathSizeSeen                             = 304, 120
	atParentPidSeen, atParentNameSeen, atBootedSeen        = 424, 432, 448
	sightSize                                              = 456
	sightStack                                             = -472
	forkNoExec                                             = 0x40 // PF_FORKNOEXEC (include/linux/sched.h)
	overlayMagic                                           = 0x794c7630
	procMagic, sysMagic, cgroupMagic                       = 0x9fa0, 0x62656572, 0x27e0eb // include/uapi/linux/magic.h
	cgroup2Magic, debugMagic, traceMagic                   = 0x63677270, 0x64626720, 0x74726163
	securityMagic, bpfMagic, efiMagic                      = 0x73636673, 0xcafe4a11, 0xde5e81e4
	blockKind, kindMask                                    = 0o060000, 0o170000
	accessMask                                             = 3 // O_WRONLY and O_RDWR
)

func program(name string, all asm.Instructions) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{Name: name, Type: ebpf.RawTracepoint, Instructions: all, License: "GPL"}
}

// read copies what is at an offset of the pointer in a word of the stack.
func read(pointer, to int16, size, offset int32, helper asm.BuiltinFunc) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R3, asm.RFP, pointer, asm.DWord),
		asm.Add.Imm(asm.R3, offset),
		asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, int32(to)),
		asm.Mov.Imm(asm.R2, size),
		helper.Call(),
	}
}

// follow goes from the pointer in a register through pointers, and copies what is
// behind the last offset. Memory that cannot be read is zero, and so is what is
// behind it.
func follow(base asm.Register, to int16, size int32, path ...int32) asm.Instructions {
	all := asm.Instructions{asm.StoreMem(asm.RFP, tmp1, base, asm.DWord)}
	last := len(path) - 1
	for _, off := range path[:last] {
		all = append(all, read(tmp1, tmp1, 8, off, asm.FnProbeReadKernel)...)
	}
	return append(all, read(tmp1, to, size, path[last], asm.FnProbeReadKernel)...)
}

// into is follow to a place of the Sight.
func into(base asm.Register, at int16, size int32, path ...int32) asm.Instructions {
	return follow(base, sightStack+at, size, path...)
}

func blank() asm.Instructions {
	all := asm.Instructions{asm.Mov.Imm(asm.R0, 0)}
	for at := int16(0); at < sightSize; at += 8 {
		all = append(all, asm.StoreMem(asm.RFP, sightStack+at, asm.R0, asm.DWord))
	}
	return all
}

// watched leaves the entry of the task's container in R9 and the task in R7, and
// goes to "out" for all other tasks. Where none of the task's pid namespaces is
// known and unknown is set, R9 is 0, and the outermost is in the Sight.
func (w *Watch) watched(l *layout, unknown bool) asm.Instructions {
	all := join(
		asm.Instructions{asm.FnGetCurrentTask.Call(), asm.Mov.Reg(asm.R7, asm.R0)},
		follow(asm.R7, tmp2, 4, l.levels[0].pid, l.levels[0].level),
		asm.Instructions{
			asm.LoadMem(asm.R8, asm.RFP, tmp2, asm.Word),
			asm.JEq.Imm(asm.R8, 0, "out"), // of the host
		},
		blank(),
	)
	names := []string{"level2", "level3", "none"}
	for i, o := range l.levels {
		if i > 0 {
			all = append(all, asm.JLT.Imm(asm.R8, int32(i+1), "none").WithSymbol(names[i-1])) //nolint:gosec // small
		}
		all = append(all, follow(asm.R7, tmp2, 4, o.pid, o.numbers, o.inode)...)
		if i == 0 {
			all = append(all, asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.Word), asm.StoreMem(asm.RFP, sightStack+atSpaceSeen, asm.R0, asm.Word))
		}
		all = append(all,
			asm.LoadMapPtr(asm.R1, w.spaces.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, tmp2), asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, names[i]),
			asm.LoadMem(asm.R1, asm.RFP, tmp2, asm.Word), asm.StoreMem(asm.RFP, sightStack+atSpaceSeen, asm.R1, asm.Word),
			asm.Mov.Reg(asm.R9, asm.R0), asm.Ja.Label("known"),
		)
	}
	none := asm.Ja.Label("out")
	if unknown {
		none = asm.Mov.Imm(asm.R9, 0)
	}
	all = append(all, none.WithSymbol("none"))
	if unknown {
		all = append(all, asm.Ja.Label("go"))
	}
	return append(all,
		asm.LoadMem(asm.R1, asm.R9, 0, asm.Word).WithSymbol("known"), // Ignored
		asm.JNE.Imm(asm.R1, 0, "out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("go"),
	)
}

// who tells of the task in R7.
func who(l *layout, kind int32) asm.Instructions {
	return join(
		asm.Instructions{
			asm.StoreImm(asm.RFP, sightStack+atKindSeen, int64(kind), asm.Word),
			asm.FnKtimeGetBootNs.Call(), asm.StoreMem(asm.RFP, sightStack+atBootedSeen, asm.R0, asm.DWord),
			asm.FnGetCurrentPidTgid.Call(), asm.StoreMem(asm.RFP, sightStack+atPidSeen, asm.R0, asm.DWord),
			asm.FnGetCurrentUidGid.Call(), asm.StoreMem(asm.RFP, sightStack+atUIDSeen, asm.R0, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, sightStack+atNameSeen), asm.Mov.Imm(asm.R2, nameSize), asm.FnGetCurrentComm.Call(),
		},
		into(asm.R7, atMountSeen, 4, l.taskProxy, l.proxyMount, l.mountSpace+l.inum),
		into(asm.R7, atUserSeen, 4, l.taskCred, l.credUser, l.userSpace+l.inum),
		into(asm.R7, atFlagsSeen, 4, l.taskFlags),
		into(asm.R7, atParentSeen, 4, l.taskParent, l.levels[0].pid, l.levels[0].level),
		into(asm.R7, atParentPidSeen, 4, l.taskParent, l.taskGroup),
		into(asm.R7, atParentNameSeen, nameSize, l.taskParent, l.taskName),
		into(asm.R7, atRootInoSeen, 8, l.taskFS, l.fsRoot+l.pathDentry, l.dentryInode, l.inodeNumber),
		into(asm.R7, atRootDevSeen, 4, l.taskFS, l.fsRoot+l.pathDentry, l.dentryInode, l.inodeSuper, l.superDev),
	)
}

// about tells of the struct file in a register that helpers leave alone.
func about(l *layout, file asm.Register) asm.Instructions {
	all := join(
		into(file, atInoSeen, 8, l.fileInode, l.inodeNumber),
		into(file, atMagicSeen, 8, l.fileInode, l.inodeSuper, l.superMagic),
		into(file, atDevSeen, 4, l.fileInode, l.inodeSuper, l.superDev),
		into(file, atLinksSeen, 4, l.fileInode, l.inodeLinks),
		into(file, atModeSeen, 2, l.fileInode, l.inodeMode),
		into(file, atMountIDSeen, 4, l.filePath+l.pathMount, l.mntID-l.mountOfVFS),
	)
	if l.inodeCtime >= 0 {
		all = append(all, into(file, atChangedSeen, 8, l.fileInode, l.inodeCtime)...)
		all = append(all, into(file, atChangedNSSeen, 4, l.fileInode, l.ctimeN)...)
	}
	up := []int32{l.filePath + l.pathDentry}
	for i := range 3 {
		all = append(all, follow(file, tmp2, 8, append(append([]int32{}, up...), l.dentryName)...)...)
		all = append(all, read(tmp2, sightStack+atFileSeen+int16(i)*fileNameSize, fileNameSize, 0, asm.FnProbeReadKernelStr)...) //nolint:gosec // small
		up = append(up, l.dentryUp)
	}
	return all
}

func (w *Watch) send() asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, w.events.FD()).WithSymbol("send"), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sightStack),
		asm.Mov.Imm(asm.R3, sightSize), asm.Mov.Imm(asm.R4, 0), asm.FnRingbufOutput.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.StoreImm(asm.RFP, tmp2, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, w.lost.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, tmp2), asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "out"), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
	}
}

// execProgram tells of each program that is executed: sched_process_exec(task,
// old pid, linux_binprm).
func (w *Watch) execProgram(l *layout) *ebpf.ProgramSpec {
	all := join(
		asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)},
		w.watched(l, true),
		asm.Instructions{asm.JEq.Imm(asm.R9, 0, "room")}, // unknown: told until it is known
		within(asm.R9, inCounts+8*ofExecs, execsOfOne),
		who(l, SawExec),
		asm.Instructions{asm.LoadMem(asm.R8, asm.R6, 16, asm.DWord)},
		into(asm.R7, atOldUIDSeen, 4, l.taskCred, l.credUID),
		into(asm.R7, atUIDSeen, 4, l.taskCred, l.credEUID), // a setuid bit leaves the real user as it was
		follow(asm.R8, tmp2, 8, l.binaryName),
		read(tmp2, sightStack+atPathSeen, atPathSizeSeen, 0, asm.FnProbeReadKernelStr),
		// A script has another interpreter than itself.
		follow(asm.R8, tmp2, 8, l.binaryInterp),
		asm.Instructions{asm.LoadMem(asm.R6, asm.RFP, tmp2, asm.DWord)},
		follow(asm.R8, tmp2, 8, l.binaryName),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.DWord), asm.JEq.Reg(asm.R0, asm.R6, "binary"),
			asm.StoreImm(asm.RFP, sightStack+atArgsSeen, 1, asm.Word),
		},
		labelled("binary", follow(asm.R8, tmp2, 8, l.binaryFile)),
		asm.Instructions{asm.LoadMem(asm.R8, asm.RFP, tmp2, asm.DWord)},
		about(l, asm.R8),
	)
	if l.overlayUpper >= 0 {
		all = append(all,
			asm.LoadMem(asm.R0, asm.RFP, sightStack+atMagicSeen, asm.DWord),
			asm.LoadImm(asm.R1, overlayMagic, asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R1, "send"),
		)
		all = append(all, into(asm.R8, atUpperSeen, 8, l.fileInode, l.overlayUpper-l.overlayInode)...)
	}
	return program("hatchdog_exec", join(all, w.send(), end()))
}

// capableProgram tells of a capability that was used and that is not the
// container's: cap_capable(cred, asked in, had in, capability, answer).
func (w *Watch) capableProgram(l *layout) *ebpf.ProgramSpec {
	return program("hatchdog_cap", join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R0, asm.R6, 32, asm.DWord), asm.JNE.Imm(asm.R0, 0, "out"),
			asm.LoadMem(asm.R0, asm.R6, 16, asm.DWord), asm.JEq.Imm(asm.R0, 0, "out"),
		},
		w.watched(l, false),
		// A file system may act for itself, with credentials of its own.
		follow(asm.R7, tmp2, 8, l.taskCred),
		asm.Instructions{
			asm.LoadMem(asm.R0, asm.RFP, tmp2, asm.DWord), asm.LoadMem(asm.R1, asm.R6, 0, asm.DWord), asm.JNE.Reg(asm.R0, asm.R1, "out"),
			asm.LoadMem(asm.R8, asm.R6, 16, asm.DWord),
		},
		into(asm.R8, atReturnSeen, 4, l.userSpace+l.inum),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.R6, 24, asm.DWord), asm.StoreMem(asm.RFP, sightStack+atCallSeen, asm.R1, asm.Word),
			asm.LoadMem(asm.R0, asm.RFP, sightStack+atReturnSeen, asm.Word),
			asm.LoadMem(asm.R2, asm.R9, inUser, asm.Word),
			asm.JEq.Reg(asm.R0, asm.R2, "own"),
			asm.LoadImm(asm.R3, firstUserNS, asm.DWord),
			asm.JNE.Reg(asm.R0, asm.R3, "out"), // of a user namespace that it made
			asm.Ja.Label("beyond"),
			asm.LoadMem(asm.R0, asm.R9, inMask, asm.DWord).WithSymbol("own"),
			asm.RSh.Reg(asm.R0, asm.R1), asm.And.Imm(asm.R0, 1),
			asm.JNE.Imm(asm.R0, 0, "out"),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("beyond"),
		},
		within(asm.R9, inCounts+8*ofCapabilities, callsOfOne), who(l, SawCapability), w.send(), end(),
	))
}

#include "textflag.h"

// System calls: include/uapi/asm-generic/unistd.h. The kernel keeps all registers
// but R0.

// func cloneShared(flags, parent uintptr) (pid, errno uintptr)
TEXT ·cloneShared(SB), NOSPLIT|NOFRAME, $0-32
	MOVD flags+0(FP), R0
	MOVD parent+8(FP), R19
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $220, R8 // clone
	SVC
	CBZ  R0, child
	CMN  $4095, R0
	BCS  failed
	MOVD R0, pid+16(FP)
	MOVD ZR, errno+24(FP)
	RET

failed:
	NEG  R0, R0
	MOVD ZR, pid+16(FP)
	MOVD R0, errno+24(FP)
	RET

child:
	MOVD $1, R0   // PR_SET_PDEATHSIG
	MOVD $9, R1   // SIGKILL
	MOVD $167, R8 // prctl
	SVC

wait:
	// The parent may have died before it was to be told of.
	MOVD $173, R8 // getppid
	SVC
	CMP  R19, R0
	BNE  end
	MOVD ZR, R0
	MOVD ZR, R1
	MOVD ZR, R2
	MOVD ZR, R3
	MOVD ZR, R4
	MOVD $73, R8 // ppoll
	SVC
	B    wait

end:
	MOVD ZR, R0
	MOVD $94, R8 // exit_group
	SVC
	B    end

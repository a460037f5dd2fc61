package probe

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

// NewSpaces are the flags of clone that make a namespace (sched.h), except for that of
// time, which clone has not got.
const NewSpaces = 0x7e020000

// openTreeClone is a flag of open_tree (mount.h).
const openTreeClone = 1

// threadCompat is TS_COMPAT (arch/x86/include/asm/thread_info.h): the call is one of
// 32-bit programs, whose numbers mean others.
const threadCompat = 2

// The places where calls begin to be looked at.
const (
	atPlain    = "plain" // told where they succeed
	atWrites   = "writes"
	atOpen     = "open"
	atOpenat   = "openat"
	atOpenat2  = "openat2"
	atConnect  = "connect"
	atClone    = "clone"
	atClone3   = "clone3"
	atOpenTree = "opentree"
)

// toldCall is a call that is looked at.
type toldCall struct {
	number int32
	name   string // of the kernel's function, without what comes before it
	at     string
}

// toldCalls are in the order of their numbers.
func toldCalls() []toldCall {
	return []toldCall{
		{CallOpen, "open", atOpen},
		{CallConnect, "connect", atConnect},
		{CallClone, "clone", atClone},
		{CallCreat, "creat", atWrites},
		{CallPtrace, "ptrace", atPlain},
		{CallPivotRoot, "pivot_root", atPlain},
		{CallMount, "mount", atPlain},
		{CallUmount, "umount", atPlain},
		{CallInitModule, "init_module", atPlain},
		{CallDeleteModule, "delete_module", atPlain},
		{CallKexec, "kexec_load", atPlain},
		{CallOpenat, "openat", atOpenat},
		{CallUnshare, "unshare", atPlain},
		{CallOpenByHandle, "open_by_handle_at", atPlain},
		{CallSetns, "setns", atPlain},
		{CallVMRead, "process_vm_readv", atPlain},
		{CallVMWrite, "process_vm_writev", atPlain},
		{CallFinitModule, "finit_module", atPlain},
		{CallKexecFile, "kexec_file_load", atPlain},
		{CallBPF, "bpf", atPlain},
		{CallOpenTree, "open_tree", atOpenTree},
		{CallMoveMount, "move_mount", atPlain},
		{CallFsmount, "fsmount", atPlain},
		{CallClone3, "clone3", atClone3},
		{CallOpenat2, "openat2", atOpenat2},
		{CallMountSetattr, "mount_setattr", atPlain},
	}
}

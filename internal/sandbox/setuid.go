package sandbox

import (
	"runtime"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Bits of modes and flags (inode(7), open(2) on x86 and ARM).
const (
	suid    = 0o4000
	sgid    = 0o2000
	creates = 0o100
	tmpfile = 0o20000000
)

// noSetuid lets nobody set the bits by which a file of a granted directory would
// run on the host as its owner. openat2 takes the mode in memory, where no filter
// looks: it is answered as by a kernel that has none.
func noSetuid() *specs.LinuxSeccomp {
	eperm, enosys := uint(1), uint(38)
	f := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Architectures: architectures()}
	for _, bit := range []uint64{suid, sgid} {
		deny := func(name string, args ...specs.LinuxSeccompArg) {
			f.Syscalls = append(f.Syscalls, specs.LinuxSyscall{Names: []string{name}, Action: specs.ActErrno, ErrnoRet: &eperm, Args: args})
		}
		deny("chmod", has(1, bit))
		deny("fchmod", has(1, bit))
		deny("fchmodat", has(2, bit))
		deny("fchmodat2", has(2, bit))
		deny("creat", has(1, bit))
		for _, flag := range []uint64{creates, tmpfile} {
			deny("open", has(1, flag), has(2, bit))
			deny("openat", has(2, flag), has(3, bit))
		}
	}
	f.Syscalls = append(f.Syscalls, specs.LinuxSyscall{Names: []string{"openat2", "mknod", "mknodat"}, Action: specs.ActErrno, ErrnoRet: &enosys})
	return f
}

func has(index uint, bits uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Value: bits, ValueTwo: bits, Op: specs.OpMaskedEqual}
}

func architectures() []specs.Arch {
	if runtime.GOARCH == "arm64" {
		return []specs.Arch{specs.ArchAARCH64, specs.ArchARM}
	}
	return []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}
}

//go:build cgo

package proof

import (
	libseccomp "github.com/seccomp/libseccomp-golang"
)

// numbers are those of a call on the architectures that are probed.
func numbers(name string) []uint32 {
	var out []uint32
	for _, arch := range []libseccomp.ScmpArch{libseccomp.ArchAMD64, libseccomp.ArchX86, libseccomp.ArchARM64, libseccomp.ArchARM} {
		if nr, err := libseccomp.GetSyscallFromNameByArch(name, arch); err == nil && nr >= 0 {
			out = append(out, uint32(nr))
		}
	}
	for _, through := range []string{"socketcall", "ipc"} {
		if nr, err := libseccomp.GetSyscallFromNameByArch(through, libseccomp.ArchX86); err == nil {
			out = append(out, uint32(nr))
		}
	}
	return out
}

// nameOf is the call that a probe makes; empty where nobody knows it.
func nameOf(d *data) (string, libseccomp.ScmpArch) {
	arch := libseccomp.ArchAMD64
	switch {
	case d.arch == auditI386:
		arch = libseccomp.ArchX86
	case d.arch == auditARM64:
		arch = libseccomp.ArchARM64
	case d.arch == auditARM:
		arch = libseccomp.ArchARM
	case d.nr&x32Bit != 0:
		arch = libseccomp.ArchX32
	}
	name, err := libseccomp.ScmpSyscall(d.nr).GetNameByArch(arch)
	if err != nil {
		return "", arch
	}
	return name, arch
}

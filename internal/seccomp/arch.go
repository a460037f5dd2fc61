package seccomp

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/profiles/syscalls"
)

// arch is what must be known of an architecture: its name in a table, and how
// libseccomp treats it.
type arch struct {
	scmp specs.Arch
	name string
	goos string // GOARCH, where a hatchdog can run on it
	// narrow: arguments have 32 bits, and libseccomp drops the upper half of
	// what they are compared with.
	narrow bool
	// mux: socket and System V IPC calls are also reached through socketcall
	// and ipc, and libseccomp opens these, without any condition, along with
	// the call itself.
	mux bool
}

func arches() []arch {
	return []arch{
		{specs.ArchX86_64, "amd64", "amd64", false, false},
		{specs.ArchX86, "x86", "386", true, true},
		{specs.ArchX32, "x32", "", true, false},
		{specs.ArchAARCH64, "arm64", "arm64", false, false},
		{specs.ArchARM, "arm", "arm", true, false},
		{specs.ArchRISCV64, "riscv64", "riscv64", false, false},
		{specs.ArchLOONGARCH64, "loongarch64", "loong64", false, false},
		{specs.ArchPPC64LE, "ppc64le", "ppc64le", false, true},
		{specs.ArchPPC64, "ppc64", "ppc64", false, true},
		{specs.ArchPPC, "ppc", "", true, true},
		{specs.ArchS390X, "s390x", "s390x", false, true},
		{specs.ArchS390, "s390", "", true, true},
		{specs.ArchMIPS, "mips", "mips", true, true},
		{specs.ArchMIPSEL, "mipsel", "mipsle", true, true},
		{specs.ArchMIPS64, "mips64", "mips64", false, false},
		{specs.ArchMIPSEL64, "mipsel64", "mips64le", false, false},
		{specs.ArchMIPS64N32, "mips64n32", "", true, false},
		{specs.ArchMIPSEL64N32, "mipsel64n32", "", true, false},
		{specs.ArchPARISC, "parisc", "", true, true},
		{specs.ArchPARISC64, "parisc64", "", false, true},
		{specs.ArchM68K, "m68k", "", true, true},
		{specs.ArchSH, "sh", "", true, true},
		{specs.ArchSHEB, "sheb", "", true, true},
	}
}

// Native is the architecture of a GOARCH.
func Native(goarch string) (specs.Arch, error) {
	for _, a := range arches() {
		if a.goos == goarch {
			return a.scmp, nil
		}
	}
	return "", fmt.Errorf("%q: %w", goarch, ErrUnknownArch)
}

func find(name specs.Arch) (arch, bool) {
	all := arches()
	i := slices.IndexFunc(all, func(a arch) bool { return a.scmp == name })
	if i < 0 {
		return arch{}, false
	}
	return all[i], true
}

// ArchNames are the architectures as the spec writes them.
func ArchNames() []string {
	var names []string
	for _, a := range arches() {
		names = append(names, string(a.scmp))
	}
	return names
}

// muxed says whether a call is also reached through socketcall or ipc, and
// which of the two.
func muxed(call string) string {
	switch call {
	case "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
		"sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg":
		return "socketcall"
	case "semop", "semget", "semctl", "semtimedop", "msgsnd", "msgrcv", "msgget", "msgctl", "shmat", "shmdt", "shmget", "shmctl":
		return "ipc"
	}
	return ""
}

// Calls are the names of all system calls that are known, sorted.
func Calls() []string { return strings.Fields(syscalls.Text) }

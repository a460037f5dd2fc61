// Package prevent enters containers into the map of the kernel's guard, and says
// whether the guard is loaded.
//
// Guarantees: an entry names the container's control group and pid namespace, as
// they are while its first process waits for its start; a guard whose programs are
// not all there counts as none.
// Does not cover: the programs (package prevent); taking entries out: the guard does
// so when the control group goes.
// Requires: root, and control groups of version 2.
// Spec fields touched: none.
package prevent

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// Deny is what a container is denied, bit by bit.
type Deny uint32

// A policy can deny these.
const (
	Drift   Deny = 1 << iota // running what the image does not hold
	Mounts                   // mounting, unmounting, moving mounts
	BPF                      // bpf(2)
	Modules                  // modules of the kernel, asked for or loaded
	Ptrace                   // tasks of other containers

	All = Drift | Mounts | BPF | Modules | Ptrace
)

// Where the guard is pinned.
const (
	Mount      = "/sys/fs/bpf"
	Dir        = Mount + "/hatchdog/v2" // the version is that of the map's layout
	Containers = "containers"
	Links      = "links"
)

// The map: a control group's id to what is denied, the level and inode of the
// container's pid namespace, the device of its root file system (as the kernel numbers
// it: major << 20 | minor), and when it was entered (nanoseconds since 1970).
const (
	KeySize   = 8
	ValueSize = 24
	AtDenied  = 0
	AtLevel   = 4
	AtInode   = 8
	AtRoot    = 12
	AtSince   = 16
	Most      = 1 << 16
	// Deepest is the depth of the deepest control group that the programs look at.
	Deepest = 10
)

var errUnknown = errors.New("it is not known")

// Of makes bits of the policy's names.
func Of(names []string) (Deny, error) {
	var d Deny
	for _, name := range names {
		i := slices.Index(Names(), name)
		if i < 0 {
			return 0, fmt.Errorf("prevent.deny %q: %w", name, errUnknown)
		}
		d |= 1 << i
	}
	return d, nil
}

// DriftName is what a policy calls Drift.
const DriftName = "drift"

// Names are what a policy calls them, in the order of the bits.
func Names() []string { return []string{DriftName, "mounts", "bpf", "modules", "ptrace"} }

// Hooks are the links that deny something, and that which takes containers out.
func (d Deny) Hooks() []string {
	all := [][]string{
		{"bprm_check_security", "mmap_file", "file_mprotect"},
		{"sb_mount", "sb_kern_mount", "sb_remount", "sb_umount", "sb_pivotroot", "move_mount"},
		{"bpf"},
		{"kernel_module_request", "kernel_read_file", "kernel_load_data"},
		{"ptrace_access_check"},
	}
	names := []string{"cgroup_rmdir"}
	for ; d != 0; d &= d - 1 {
		names = append(names, all[bits.TrailingZeros32(uint32(d))]...)
	}
	return names
}

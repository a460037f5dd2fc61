// Package prevent loads the kernel's guard: programs at the hooks of the Linux
// security modules (BPF LSM) that hold containers to what their policy denies
// while they run.
//
// Guarantees: once loaded, the programs answer with EPERM what a container of the
// pinned map is denied, for every task that is in the container's control group and
// in its pid namespace; they stay when this process ends, and never allow what the
// kernel would not. A container's entry goes with its control group.
// Does not cover: code that an interpreter reads (sh SCRIPT) or that a process makes
// in memory of no file; who enters containers into the map (package
// effects/prevent); what root of the host does to the pins.
// Requires: root, a kernel with BPF LSM (CONFIG_BPF_LSM, and bpf in
// /sys/kernel/security/lsm), BTF, control groups of version 2, and bpffs.
// Spec fields touched: none.
package prevent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"

	pins "github.com/hatchdog/hatchdog/internal/effects/prevent"
)

// Errors of a host that cannot have the guard.
var (
	ErrNoLSM  = errors.New("the kernel runs no BPF programs as a security module: add bpf to the list of lsm= on its command line (now: ")
	ErrBpffs  = errors.New("no bpffs is mounted at " + pins.Mount + ": mount -t bpf bpf " + pins.Mount)
	ErrLoaded = errors.New("the kernel's guard is loaded already")
)

// Guard is where the kernel's guard is pinned.
type Guard struct {
	Dir string // of the pins, in a bpffs
	LSM string // the file that lists the security modules
}

// New is the guard of this host.
func New() Guard { return Guard{pins.Dir, "/sys/kernel/security/lsm"} }

// hook is a program at one hook of the security modules.
type hook struct {
	name string
	deny pins.Deny
	// early ends the program where the hook's arguments are of no interest; body
	// judges what a container that is denied it does. Both may be nil.
	early, body func(offsets) asm.Instructions
}

func hooks() []hook {
	return []hook{
		{"bprm_check_security", pins.Drift, nil, execBody},
		{"mmap_file", pins.Drift, mmapEarly, mmapBody},
		{"file_mprotect", pins.Drift, mprotectEarly, mprotectBody},
		{"sb_mount", pins.Mounts, nil, nil},
		{"sb_kern_mount", pins.Mounts, nil, nil},
		{"sb_remount", pins.Mounts, nil, nil},
		{"sb_umount", pins.Mounts, nil, nil},
		{"sb_pivotroot", pins.Mounts, nil, nil},
		{"move_mount", pins.Mounts, nil, nil},
		{"bpf", pins.BPF, nil, nil},
		{"kernel_module_request", pins.Modules, nil, nil},
		{"kernel_read_file", pins.Modules, nil, nil},
		{"kernel_load_data", pins.Modules, nil, nil},
		{"ptrace_access_check", pins.Ptrace, nil, ptraceBody},
	}
}

// Load loads and pins the programs. A guard that is there already is replaced; the
// containers that it holds stay held all the while.
func (g Guard) Load() error {
	if err := g.possible(); err != nil {
		return err
	}
	o, err := findOffsets()
	if err != nil {
		return err
	}
	_ = rlimit.RemoveMemlock() // of kernels before 5.11; the load says it where it fails
	if err := os.MkdirAll(filepath.Join(g.Dir, pins.Links), 0o700); err != nil {
		return fmt.Errorf("the guard's pins: %w", err)
	}
	if err := (pins.Guard{Dir: g.Dir}).Owned(); err != nil {
		return fmt.Errorf("the guard's pins: %w", err)
	}
	held, err := g.containers()
	if err != nil {
		return err
	}
	defer held.Close() //nolint:errcheck // a descriptor
	if err := g.sweep(held, o); err != nil {
		return err
	}
	for _, h := range hooks() {
		if err := g.place(h, held, o); err != nil {
			return fmt.Errorf("%s: %w", h.name, err)
		}
	}
	return nil
}

// possible says what this host lacks.
func (g Guard) possible() error {
	list, err := os.ReadFile(g.LSM)
	if err != nil {
		return fmt.Errorf("which security modules the kernel runs: %w", err)
	}
	modules := strings.TrimSpace(string(list))
	if !slices.Contains(strings.Split(modules, ","), "bpf") {
		return fmt.Errorf("%w%s)", ErrNoLSM, modules)
	}
	if !pins.Bpffs(filepath.Dir(filepath.Dir(g.Dir))) {
		return ErrBpffs
	}
	return nil
}

// containers is the map of those that are held. One that is pinned is kept.
func (g Guard) containers() (*ebpf.Map, error) {
	path := filepath.Join(g.Dir, pins.Containers)
	m, err := ebpf.LoadPinnedMap(path, nil)
	if err == nil {
		return m, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "hatchdog_held", Type: ebpf.Hash, KeySize: pins.KeySize, ValueSize: pins.ValueSize, MaxEntries: pins.Most,
		Flags: 1, // BPF_F_NO_PREALLOC
	})
	if err != nil {
		return nil, fmt.Errorf("the map of containers: %w", err)
	}
	if err := m.Pin(path); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), m.Close())
	}
	return m, nil
}

// sweep has a container's entry go with its control group.
func (g Guard) sweep(held *ebpf.Map, o offsets) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "hatchdog_sweep", Type: ebpf.RawTracepoint, Instructions: sweep(held.FD(), o), License: "GPL"})
	if err != nil {
		return fmt.Errorf("cgroup_rmdir: %w", err)
	}
	defer prog.Close() //nolint:errcheck // a descriptor
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: "cgroup_rmdir", Program: prog})
	if err != nil {
		return fmt.Errorf("cgroup_rmdir: %w", err)
	}
	return g.pin(l, "cgroup_rmdir")
}

func (g Guard) place(h hook, held *ebpf.Map, o offsets) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "hatchdog_guard", Type: ebpf.LSM, AttachType: ebpf.AttachLSMMac, AttachTo: h.name,
		Instructions: program(h, held.FD(), o), License: "GPL",
	})
	if err != nil {
		return err
	}
	defer prog.Close() //nolint:errcheck // a descriptor
	l, err := link.AttachLSM(link.LSMOptions{Program: prog})
	if err != nil {
		return err
	}
	return g.pin(l, h.name)
}

// pin puts a link in the place of that of an older load. The new one holds before
// the old one goes.
func (g Guard) pin(l link.Link, name string) error {
	path := filepath.Join(g.Dir, pins.Links, name)
	fresh := path + "_new" // bpffs takes no dot
	_ = os.Remove(fresh)
	err := l.Pin(fresh)
	if err == nil {
		err = os.Rename(fresh, path)
	}
	return errors.Join(err, l.Close())
}

// Unload takes the programs and the map away. Containers run on without them.
func (g Guard) Unload() error {
	err := os.RemoveAll(g.Dir)
	if err != nil {
		return fmt.Errorf("the guard's pins: %w", err)
	}
	return nil
}

// Held is how many containers the guard holds.
func (g Guard) Held() (int, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(g.Dir, pins.Containers), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return 0, fmt.Errorf("the map of containers: %w", err)
	}
	defer m.Close() //nolint:errcheck // a descriptor
	n := 0
	var key uint64
	var value [pins.ValueSize]byte
	for all := m.Iterate(); all.Next(&key, &value); {
		n++
	}
	return n, nil
}

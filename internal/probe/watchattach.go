package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
)

// How calls are seen.
const (
	CallsByFunctions  = "fexit of calls"      // of those that are told; other calls pay nothing
	CallsByTracepoint = "tracepoint sys_exit" // all calls of the host pass by it
)

// attachCalls looks at the calls that are told by the kernel's own functions for
// them, and where the kernel does not let us, at the end of all calls.
func (w *Watch) attachCalls(l *layout) error {
	had, progs := len(w.links), len(w.progs)
	byFunctions := w.attachFunctions(l)
	if byFunctions == nil {
		w.Calls = CallsByFunctions
		return nil
	}
	give := loaded{links: w.links[had:], progs: w.progs[progs:]}
	w.links, w.progs = w.links[:had:had], w.progs[:progs:progs]
	if err := give.close(nil); err != nil {
		return err
	}
	native := convention{args: argumentsAt(), both: true}
	if err := w.attachTracing(tracing("sys_exit", ebpf.AttachTraceRawTp, w.callProgram(l, native))); err != nil {
		return errors.Join(byFunctions, fmt.Errorf("sys_exit: %w", err))
	}
	w.Calls, w.Dear = CallsByTracepoint, byFunctions
	return nil
}

func tracing(to string, how ebpf.AttachType, all asm.Instructions) *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{Name: "hatchdog_calls", Type: ebpf.Tracing, AttachType: how, AttachTo: to, Instructions: all, License: "GPL"}
}

// attachTracing loads programs together, which reads the kernel's types once.
func (w *Watch) attachTracing(specs ...*ebpf.ProgramSpec) error {
	all := &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{}}
	for _, spec := range specs {
		all.Programs[spec.AttachTo] = spec
	}
	got, err := ebpf.NewCollection(all)
	if err != nil {
		return err
	}
	for _, prog := range got.Programs {
		w.progs = append(w.progs, prog)
	}
	for _, prog := range got.Programs {
		at, err := link.AttachTracing(link.TracingOptions{Program: prog})
		if err != nil {
			return err
		}
		w.links = append(w.links, at)
	}
	return nil
}

// argumentsAt32 are the places of the arguments of 32-bit programs in pt_regs.
func argumentsAt32() []int32 { return []int32{40, 88, 96, 104, 112, 32} }

// attachFunctions looks at the functions of the calls, those of 32-bit programs too.
func (w *Watch) attachFunctions(l *layout) error {
	types, err := btf.LoadKernelSpec()
	if err != nil {
		return err
	}
	has := func(name string) bool {
		var f *btf.Func
		return types.TypeByName(name, &f) == nil
	}
	var missing []string
	var specs []*ebpf.ProgramSpec
	for _, call := range toldCalls() {
		name := "__x64_sys_" + call.name
		if !has(name) {
			missing = append(missing, name)
			continue
		}
		specs = append(specs, tracing(name, ebpf.AttachTraceFExit, w.callProgram(l, convention{number: call.number, args: argumentsAt()})))
		for _, before := range []string{"__ia32_sys_", "__ia32_compat_sys_", "__ia32_compat_sys_ia32_"} {
			if has(before + call.name) {
				specs = append(specs, tracing(before+call.name, ebpf.AttachTraceFExit, w.callProgram(l, convention{number: call.number, args: argumentsAt32()})))
			}
		}
	}
	if len(specs) == 0 {
		return fmt.Errorf("the kernel's types: no function of a call: %w", ebpf.ErrNotSupported)
	}
	if err := lacks(missing); err != nil {
		return err
	}
	// One shows whether it is let: most kernels that refuse refuse all.
	if err := w.attachTracing(specs[0]); err != nil {
		return err
	}
	return w.attachTracing(specs[1:]...)
}

// lacks is an error where the kernel has a function after all, of which it only does
// not tell the type.
func lacks(functions []string) error {
	if len(functions) == 0 {
		return nil
	}
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return err
	}
	defer f.Close()
	var there []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		words := bytes.Fields(lines.Bytes())
		if len(words) > 2 && slices.Contains(functions, string(words[2])) {
			there = append(there, string(words[2]))
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("the kernel's types: %s: %w", strings.Join(there, ", "), btf.ErrNotFound)
	}
	return lines.Err()
}

package probe

import (
	"fmt"

	"github.com/cilium/ebpf/btf"

	"github.com/hatchdog/hatchdog/internal/kerneltypes"
)

// offsets are where the kernel keeps the pid namespaces of a task, in bytes.
type offsets struct {
	pid     int32 // of task_struct.thread_pid
	level   int32 // of pid.level
	numbers int32 // of pid.numbers[the level asked for].ns
	inode   int32 // of pid_namespace.ns.inum
}

// findOffsets asks the kernel's own types (BTF), for a namespace of a level.
func findOffsets(level int) (offsets, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return offsets{}, fmt.Errorf("the kernel's types: %w", err)
	}
	var o offsets
	for _, f := range []struct {
		in, member string
		into       *int32
	}{
		{"task_struct", "thread_pid", &o.pid}, {"pid", "level", &o.level}, {"pid", "numbers", &o.numbers}, {"pid_namespace", "ns", &o.inode},
	} {
		if *f.into, err = member(spec, f.in, f.member); err != nil {
			return o, err
		}
	}
	ns, err := member(spec, "upid", "ns")
	if err != nil {
		return o, err
	}
	inum, err := member(spec, "ns_common", "inum")
	if err != nil {
		return o, err
	}
	var upid *btf.Struct
	if err := spec.TypeByName("upid", &upid); err != nil {
		return o, fmt.Errorf("the kernel's types: upid: %w", err)
	}
	o.inode += inum
	o.numbers += int32(level)*int32(upid.Size) + ns //nolint:gosec // small
	return o, nil
}

func member(spec *btf.Spec, in, name string) (int32, error) {
	var s *btf.Struct
	if err := spec.TypeByName(in, &s); err != nil {
		return 0, fmt.Errorf("the kernel's types: %s: %w", in, err)
	}
	if at, ok := kerneltypes.Member(s.Members, name); ok {
		return at, nil
	}
	return 0, fmt.Errorf("the kernel's types: %s has no %s", in, name)
}

package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/rlimit"
)

// Kind says what an Entry counts.
type Kind uint64

// The kinds.
const (
	KindCall       Kind = iota + 1 // What is the call's number, Arg the arguments that were asked for
	KindCapability                 // What is its number
	KindProgram                    // Text is its path
	KindDevice                     // What is its number, Arg the access, plus 4 for a block device
	KindWrite                      // Text is the path, Arg the file system's device, 0 for an absolute path
	KindListen                     // Address, Arg the type of the socket
	KindReach
)

// OtherArgs stands for all arguments that are not told apart.
const OtherArgs = ^uint64(0)

// The modes of a pid namespace.
const (
	unclaimed = iota
	claimed
	ignored
)

const (
	statesMost     = 1 << 13
	entriesMost    = 1 << 17
	countsMost     = 1 << 13 // of one namespace: more than there are
	textsMost      = 1 << 12 // of one namespace
	socketTypeMask = 0xf
)

// Namespace is the pid namespace of a container: its inode, and when its first
// process started. An inode comes again, the two together do not.
type Namespace struct {
	Inode   uint32
	_       uint32
	Started uint64 // nanoseconds after boot
}

// NamespaceAt is the namespace of a first process that started so many ticks
// (USER_HZ, 100 a second) after boot.
func NamespaceAt(inode uint32, ticks uint64) Namespace {
	return Namespace{Inode: inode, Started: ticks * 10_000_000}
}

// Ticks is Started as proc_pid_stat(5) has it (USER_HZ, 100 a second).
func (n Namespace) Ticks() uint64 { return n.Started / 10_000_000 }

// Entry is one thing that was done in a container, and how often.
type Entry struct {
	Namespace   Namespace
	Kind        Kind
	What, Arg   uint64
	Text        string
	Address     netip.AddrPort
	Count       uint64
	First, Last time.Time
	By          [2]string // the first and the last program that did it
}

// State is what is known of a namespace.
type State struct {
	Namespace Namespace
	Lost      uint64 // what found no room
	Files     uint64 // the highest number of an open file
	Claimed   bool
	Ignored   bool
}

// Recorder counts what containers do, in the kernel: by the container and by what
// was done, so that a flood of one thing takes one place.
type Recorder struct {
	maps watch
	loaded
	boot time.Time
	// Capabilities is false where the kernel does not tell which were used.
	Capabilities bool
}

// Record begins to count, for all pid namespaces below the host's.
func Record(calls map[uint32]Call, values []Value) (*Recorder, error) {
	if runtime.GOARCH != "amd64" {
		return nil, ErrArch
	}
	if own, err := os.Readlink("/proc/self/ns/pid"); err != nil || own != firstPids {
		return nil, ErrInner
	}
	o, err := findRecorderOffsets()
	if err != nil {
		return nil, err
	}
	_ = rlimit.RemoveMemlock() // of kernels before 5.11; the load says it where it fails
	r := &Recorder{boot: booted()}
	if err := r.load(o, calls, values); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Recorder) load(o recorderOffsets, calls map[uint32]Call, values []Value) error {
	for _, m := range []struct {
		into **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&r.maps.states, ebpf.MapSpec{Type: ebpf.Hash, KeySize: 16, ValueSize: stateSize, MaxEntries: statesMost}},
		{&r.maps.counts, ebpf.MapSpec{Type: ebpf.Hash, KeySize: countKey, ValueSize: valueSize, MaxEntries: entriesMost, Flags: noPrealloc}},
		{&r.maps.texts, ebpf.MapSpec{Type: ebpf.Hash, KeySize: textKey, ValueSize: valueSize, MaxEntries: entriesMost, Flags: noPrealloc}},
		{&r.maps.calls, ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: callSize, MaxEntries: callsMost}},
		{&r.maps.values, ebpf.MapSpec{Type: ebpf.Hash, KeySize: 16, ValueSize: 8, MaxEntries: uint32(max(1, len(values)))}}, //nolint:gosec // a table of ours
		{&r.maps.lost, ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}},
	} {
		var err error
		if *m.into, err = ebpf.NewMap(&m.spec); err != nil {
			return fmt.Errorf("probe: map: %w", err)
		}
	}
	for number, c := range calls {
		if err := r.maps.calls.Put(number, c.encode()); err != nil {
			return fmt.Errorf("probe: call %d: %w", number, err)
		}
	}
	for _, v := range values {
		if err := r.maps.values.Put([2]uint64{uint64(v.Call), v.Arg}, uint64(1)); err != nil {
			return fmt.Errorf("probe: value of call %d: %w", v.Call, err)
		}
	}
	for _, one := range []struct {
		point    string
		program  asm.Instructions
		optional bool
	}{
		{"sched_process_exec", executed(r.maps, o), false},
		{"cap_capable", used(r.maps, o), true},
		{"sys_exit", returned(r.maps, o), false},
		{"sys_enter", called(r.maps, o), false},
	} {
		err := r.attach(one.point, program("hatchdog_learn", one.program))
		switch {
		case err == nil:
			r.Capabilities = r.Capabilities || one.optional
		case !one.optional:
			return fmt.Errorf("probe: %s: %w", one.point, err)
		}
	}
	return nil
}

const noPrealloc = 1 // BPF_F_NO_PREALLOC: memory for what is there

// Close ends the counting, and gives all back.
func (r *Recorder) Close() error {
	return r.close(nil, r.maps.states, r.maps.counts, r.maps.texts, r.maps.calls, r.maps.values, r.maps.lost)
}

// Unseen is how often a namespace found no room at all.
func (r *Recorder) Unseen() uint64 { return counter(r.maps.lost) }

// Claim keeps counting what a namespace does.
func (r *Recorder) Claim(n Namespace) error { return r.mark(n, claimed) }

// Ignore counts no more of what a namespace does.
func (r *Recorder) Ignore(n Namespace) error { return r.mark(n, ignored) }

// mark loses what was counted of a namespace between its reading and its writing:
// no more than an entry's room.
func (r *Recorder) mark(n Namespace, mode uint64) error {
	var state [stateSize]byte
	if err := r.maps.states.Lookup(n, &state); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	binary.NativeEndian.PutUint64(state[ofMode:], mode)
	if err := r.maps.states.Update(n, state, ebpf.UpdateExist); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// Forget gives the room of a namespace back. One that still does something is
// found anew.
func (r *Recorder) Forget(n Namespace) { _ = r.maps.states.Delete(n) }

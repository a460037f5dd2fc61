// Package probe watches the failing system calls of one container, for as long
// as somebody asks.
//
// Guarantees: it sees the tasks of one pid namespace and of those below it, which
// no process leaves, and tells for each call that failed its number, arguments
// and error, whether it reached the kernel or was answered by a filter, and the
// capability that was refused within it. It changes nothing, and is gone with
// Close or with its process. Events that found no room are counted.
// Does not cover: containers that share the host's pid namespace; calls of other
// architectures than the host's; calls that were under way when it began.
// Requires: amd64, BTF, raw tracepoints and a ring buffer (5.8), CAP_BPF and
// CAP_PERFMON, or root; for the capability the tracepoint cap_capable (6.14).
// Spec fields touched: none.
package probe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
)

// Errors of a host or a container that cannot be watched.
var (
	ErrHostPids = errors.New("the container shares the host's pid namespace: its calls cannot be told from others'")
	ErrInner    = errors.New("levels of pid namespaces are told from the host's own, and this process is not in it")
	ErrArch     = errors.New("this kind of processor is not known to the probe")
)

// firstPids is the host's pid namespace (kernel, proc_ns.h, PROC_PID_INIT_INO).
const firstPids = "pid:[4026531836]"

// Event is one call that failed.
type Event struct {
	Pid        int
	UID, GID   uint32 // of the host
	Call       int
	Errno      int
	Args       [6]uint64
	Entered    bool // it reached the kernel; else a filter answered
	Capability int  // that was refused within it, -1 for none
	Command    string
	First      string // what its first argument points to, read as text
	Second     string
	Address    netip.AddrPort // what its second points to, read as an address
}

// maps are what the programs share.
type maps struct{ entered, refused, events, lost *ebpf.Map }

// Probe watches.
type Probe struct {
	maps maps
	loaded
	reader *ringbuf.Reader
	// Capabilities is false where the kernel does not tell which were refused.
	Capabilities bool
}

// Start watches the pid namespace of a process, which is of some level: 0 is the
// host's own.
func Start(pid, level int) (*Probe, error) {
	if runtime.GOARCH != "amd64" {
		return nil, ErrArch
	}
	if level == 0 {
		return nil, ErrHostPids
	}
	if own, err := os.Readlink("/proc/self/ns/pid"); err != nil || own != firstPids {
		return nil, ErrInner
	}
	info, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return nil, fmt.Errorf("the container's pid namespace: %w", err)
	}
	var inode uint32
	if _, err := fmt.Sscanf(info, "pid:[%d]", &inode); err != nil {
		return nil, fmt.Errorf("the container's pid namespace: %q: %w", info, err)
	}
	o, err := findOffsets(level)
	if err != nil {
		return nil, err
	}
	_ = rlimit.RemoveMemlock() // of kernels before 5.11; the load says it where it fails
	p := &Probe{}
	if err := p.load(own(o, level, inode)); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

const (
	tasksMost = 1 << 16
	roomBytes = 1 << 22
)

func (p *Probe) load(guard asm.Instructions) error {
	for _, m := range []struct {
		into **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&p.maps.entered, ebpf.MapSpec{Type: ebpf.LRUHash, KeySize: 8, ValueSize: 8, MaxEntries: tasksMost}},
		{&p.maps.refused, ebpf.MapSpec{Type: ebpf.LRUHash, KeySize: 8, ValueSize: 8, MaxEntries: tasksMost}},
		{&p.maps.events, ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: roomBytes}},
		{&p.maps.lost, ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}},
	} {
		var err error
		if *m.into, err = ebpf.NewMap(&m.spec); err != nil {
			return fmt.Errorf("probe: map: %w", err)
		}
	}
	var err error
	if p.reader, err = ringbuf.NewReader(p.maps.events); err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	// The call's begin first: a call whose begin was missed would look denied.
	for _, one := range []struct {
		point    string
		program  asm.Instructions
		optional bool
	}{
		{"sys_enter", enter(p.maps, guard), false}, {"cap_capable", capable(p.maps, guard), true}, {"sys_exit", exit(p.maps, guard), false},
	} {
		err := p.attach(one.point, program("hatchdog_why", one.program))
		switch {
		case err == nil:
			p.Capabilities = p.Capabilities || one.optional
		case !one.optional:
			return fmt.Errorf("probe: %s: %w", one.point, err)
		}
	}
	return nil
}

// Detach stops watching. Events that were seen can still be read.
func (p *Probe) Detach() {
	for _, l := range p.links {
		_ = l.Close()
	}
	p.links = nil
}

// Close gives all back.
func (p *Probe) Close() error {
	return p.close(p.reader, p.maps.entered, p.maps.refused, p.maps.events, p.maps.lost)
}

// Lost is how many events found no room.
func (p *Probe) Lost() uint64 { return counter(p.maps.lost) }

// Read waits for an event until a time. It is false where none came.
func (p *Probe) Read(until time.Time) (Event, bool, error) {
	p.reader.SetDeadline(until)
	r, err := p.reader.Read()
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ringbuf.ErrClosed) {
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, false, fmt.Errorf("probe: %w", err)
	}
	e, ok := decode(r.RawSample)
	return e, ok, nil
}

func decode(raw []byte) (Event, bool) {
	if len(raw) < eventSize {
		return Event{}, false
	}
	word := func(at int) uint64 { return binary.NativeEndian.Uint64(raw[at:]) }
	e := Event{
		Pid: int(word(atPid) >> 32), UID: uint32(word(atUID)), GID: uint32(word(atUID) >> 32), //nolint:gosec // halves of a word
		Call: int(int64(word(atCall))), Errno: int(-int64(word(atReturn))), //nolint:gosec // as the kernel has them
		Entered: word(atEntered) != 0, Capability: int(word(atCapability)) - 1, //nolint:gosec // small
		Command: text(raw[atName : atName+nameSize]), First: text(raw[atFirst : atFirst+pathSize]), Second: text(raw[atSecond : atSecond+pathSize]),
		Address: address(raw[atAddress : atAddress+sockaddrSize]),
	}
	for i := range e.Args {
		e.Args[i] = word(atArgs + 8*i)
	}
	return e, true
}

func text(raw []byte) string {
	raw, _, _ = bytes.Cut(raw, []byte{0})
	return string(raw)
}

// address reads sockaddr_in and sockaddr_in6.
func address(raw []byte) netip.AddrPort {
	const inet, inet6 = 2, 10
	port := binary.BigEndian.Uint16(raw[2:])
	switch binary.NativeEndian.Uint16(raw) {
	case inet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), port)
	case inet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:24])).Unmap(), port)
	}
	return netip.AddrPort{}
}

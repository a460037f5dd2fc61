package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
)

// Kinds of a Sight.
const (
	SawExec       = 1 // a program is executed
	SawCall       = 2 // a call that matters succeeded, or an opening for writing failed
	SawCapability = 3 // a capability was used that is not in the mask
)

// Sight is what a process of a watched container did, as the kernel has it: no
// memory of the process is read, except for Path.
type Sight struct {
	Kind          int
	Space         uint32 // inode of the pid namespace that was entered, or of an unknown one
	Pid           int
	Booted        time.Duration // when it was, since boot
	UID, GID      uint32        // of the host; UID of SawExec is the effective one
	Mount, User   uint32        // inodes of the namespaces
	Forked        bool          // it has executed nothing since it was made
	ParentLevel   int           // of the pid namespace of the parent
	ParentPid     int
	ParentCommand string
	RootIno       uint64 // of its root directory
	RootDev       uint32 // as the kernel has it
	Command       string
	File          File   // executed, or opened
	Path          string // of the call's caller: it may change meanwhile
	OldUID        uint32 // real user, of SawExec
	Script        bool   // Path is a script, File its interpreter
	Call          int
	Return        int64
	Args          [6]uint64
	Capability    int
	CapabilitySpc uint32 // inode of the user namespace that has it
}

// File is a file as the kernel has it.
type File struct {
	Ino, Magic  uint64
	Dev, Links  uint32
	Mode        uint32
	Upper       bool // of an overlay: it is in the layer that is written to
	Changed     time.Time
	MountID     int
	Name        string
	Parent      string
	GrandParent string
}

// Watch watches many containers.
type Watch struct {
	spaces, events, lost *ebpf.Map
	loaded
	reader *ringbuf.Reader
	// Calls is how calls are seen, nothing where they are not.
	Calls string
	// Dear is why they are seen by the end of all calls of the host, nil where they are not.
	Dear error
	// Capabilities is false where their use is not watched.
	Capabilities bool
}

const (
	spacesMost  = 1 << 14
	watchRoom   = 1 << 21 // bytes; the reader maps them twice
	firstUserNS = 4026531837
	queried     = 1 << 31 // I_CTIME_QUERIED (include/linux/fs.h, 6.13), in the nanoseconds
)

// StartWatch begins. With calls it looks at calls too, for which all processes of the
// host may pay (Calls).
func StartWatch(calls bool) (*Watch, error) {
	if runtime.GOARCH != "amd64" {
		return nil, ErrArch
	}
	if own, err := os.Readlink("/proc/self/ns/pid"); err != nil || own != firstPids {
		return nil, ErrInner
	}
	l, err := findLayout()
	if err != nil {
		return nil, err
	}
	_ = rlimit.RemoveMemlock() // of kernels before 5.11; the load says it where it fails
	w := &Watch{}
	if err := w.load(l, calls); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Watch) load(l *layout, calls bool) error {
	for _, m := range []struct {
		into **ebpf.Map
		spec ebpf.MapSpec
	}{
		{&w.spaces, ebpf.MapSpec{Type: ebpf.Hash, KeySize: 4, ValueSize: uint32(binary.Size(space{})), MaxEntries: spacesMost}}, //nolint:gosec // small
		{&w.events, ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: watchRoom}},
		{&w.lost, ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}},
	} {
		var err error
		if *m.into, err = ebpf.NewMap(&m.spec); err != nil {
			return fmt.Errorf("watch: map: %w", err)
		}
	}
	var err error
	if w.reader, err = ringbuf.NewReader(w.events); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if err := w.attach("sched_process_exec", w.execProgram(l)); err != nil {
		return fmt.Errorf("watch: sched_process_exec: %w", err)
	}
	w.Capabilities = w.attach("cap_capable", w.capableProgram(l)) == nil
	if calls {
		if err := w.attachCalls(l); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	return nil
}

// Add watches a pid namespace, whose container has a user namespace and a set of
// capabilities.
func (w *Watch) Add(pidns, userns uint32, mask uint64) error {
	return w.spaces.Put(pidns, &space{User: userns, Mask: mask})
}

// Ignore tells nothing of a pid namespace that is not to be watched.
func (w *Watch) Ignore(pidns uint32) error { return w.spaces.Put(pidns, &space{Ignored: 1}) }

// Remove forgets a pid namespace.
func (w *Watch) Remove(pidns uint32) error {
	err := w.spaces.Delete(pidns)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return err
}

// Lost is how many events of a pid namespace found no room.
func (w *Watch) Lost(pidns uint32) uint64 {
	var s space
	if w.spaces.Lookup(pidns, &s) != nil {
		return 0
	}
	return s.Lost
}

// LostOfAll is how many events found no room among those of all.
func (w *Watch) LostOfAll() uint64 { return counter(w.lost) }

// Read waits for an event. It is false where the watch was closed.
func (w *Watch) Read() (Sight, bool, error) {
	for {
		r, err := w.reader.Read()
		if errors.Is(err, ringbuf.ErrClosed) {
			return Sight{}, false, nil
		}
		if err != nil {
			return Sight{}, false, fmt.Errorf("watch: %w", err)
		}
		if s, ok := decodeSight(r.RawSample); ok {
			return s, true, nil
		}
	}
}

// Close gives all back.
func (w *Watch) Close() error { return w.close(w.reader, w.spaces, w.events, w.lost) }

func decodeSight(raw []byte) (Sight, bool) {
	if len(raw) < sightSize {
		return Sight{}, false
	}
	word := func(at int) uint64 { return binary.NativeEndian.Uint64(raw[at:]) }
	half := func(at int) uint32 { return binary.NativeEndian.Uint32(raw[at:]) }
	s := Sight{
		Booted: time.Duration(word(atBootedSeen)), //nolint:gosec // 292 years
		Kind:   int(half(atKindSeen)), Space: half(atSpaceSeen), Pid: int(word(atPidSeen) >> 32), UID: half(atUIDSeen), GID: half(atUIDSeen + 4),
		Mount: half(atMountSeen), User: half(atUserSeen), Forked: half(atFlagsSeen)&forkNoExec != 0, ParentLevel: int(half(atParentSeen)),
		ParentPid: int(half(atParentPidSeen)), ParentCommand: text(raw[atParentNameSeen : atParentNameSeen+nameSize]),
		RootIno: word(atRootInoSeen), RootDev: half(atRootDevSeen), OldUID: half(atOldUIDSeen), Command: text(raw[atNameSeen : atNameSeen+nameSize]),
		File: File{
			Ino: word(atInoSeen), Magic: word(atMagicSeen), Dev: half(atDevSeen), Links: half(atLinksSeen), Mode: half(atModeSeen) & 0xffff, Upper: word(atUpperSeen) != 0,
			Changed: time.Unix(int64(word(atChangedSeen)), int64(half(atChangedNSSeen)&^queried)), MountID: int(half(atMountIDSeen)), //nolint:gosec // as the kernel has them
			Name: text(raw[atFileSeen : atFileSeen+fileNameSize]), Parent: text(raw[atFileSeen+fileNameSize : atFileSeen+2*fileNameSize]),
			GrandParent: text(raw[atFileSeen+2*fileNameSize : atFileSeen+3*fileNameSize]),
		},
		Path: text(raw[atPathSeen : atPathSeen+atPathSizeSeen]),
	}
	switch s.Kind {
	case SawExec:
		s.Script = word(atArgsSeen) != 0
	case SawCall:
		s.Call, s.Return = int(half(atCallSeen)), int64(word(atReturnSeen)) //nolint:gosec // as the kernel has it
		for i := range s.Args {
			s.Args[i] = word(atArgsSeen + 8*i)
		}
	case SawCapability:
		s.Capability, s.CapabilitySpc = int(half(atCallSeen)), half(atReturnSeen)
	}
	return s, true
}

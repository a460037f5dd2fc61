package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// Hold refuses what one container executes and its image does not hold. The kernel
// asks it before each program (fanotify, FAN_OPEN_EXEC_PERM), and waits. It is a
// process's: when that ends, in whatever way, the kernel asks nobody and lets all be.
//
// Each container has its own, with its own reader: a file system that does not answer
// holds up its own container alone.
type Hold struct {
	Init  lowlevel.Init
	fd    int // of group; File.Fd would make it wait
	group *os.File
	root  place // the container's root file system
	tell  func(Refused)
	quit  chan struct{}
	lost  atomic.Uint64
	mu    sync.Mutex
	open  []string
}

// place is what a file is held against.
type place struct {
	dev   string    // of the root file system, "major:minor"
	layer bool      // the root is an overlay
	born  time.Time // the layer that the container writes to; all in it was changed since
	began time.Time // the container
}

// Refused is a program that was not run.
type Refused struct {
	Path, Why string
	Process   Process
	Began     time.Time // when the kernel asked
}

// Errors of a container that cannot be held.
var (
	errNoBirth   = errors.New("the file system of its writable layer does not keep when a file was made")
	errNoMountID = errors.New("the kernel does not tell on which mount a file is (5.8 and newer do)")
)

// NewHold begins to hold a container. began is when it was made, before any of its
// programs ran; tell is called with what was refused, and must not wait.
func NewHold(first lowlevel.Init, began time.Time, tell func(Refused)) (*Hold, error) {
	// The queue has no bound: an event that found no room in it would be let be. Who
	// waits in it is a process of the container, whose number is bounded.
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE)
	if err != nil {
		return nil, fmt.Errorf("fanotify: %w", err)
	}
	h := &Hold{Init: first, fd: fd, group: os.NewFile(uintptr(fd), "fanotify"), tell: tell, quit: make(chan struct{})} //nolint:gosec // a descriptor
	if h.root, err = rootPlace(first.Pid, began); err == nil {
		err = h.mark()
	}
	if err == nil && !first.Alive() {
		err = errLeft // what was marked may be another's
	}
	if err != nil {
		return nil, errors.Join(err, h.group.Close())
	}
	go h.read()
	go h.follow()
	return h, nil
}

// Close lets the container be. It waits for nobody: the group is closed when its reader
// is back, whom a file system that does not answer may keep.
func (h *Hold) Close() {
	close(h.quit)
	go func() { _ = h.group.Close() }()
}

// Lost takes how often the kernel refused a program of itself, because the file could
// not be opened for us.
func (h *Hold) Lost() uint64 { return h.lost.Swap(0) }

// Open are mounts of which the kernel does not ask: what is run from there is let be.
func (h *Hold) Open() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

func (h *Hold) found(open []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = open
}

// followEvery is how often mounts are looked for that are new.
const followEvery = 5 * time.Second

func (h *Hold) follow() {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-h.quit:
			return
		case <-tick.C:
			if h.Init.Alive() {
				_ = h.mark() // it ends, or is told of by the mounts that were marked before
			}
		}
	}
}

// eventsAtOnce bounds the descriptors that one read opens.
const eventsAtOnce = 16

func (h *Hold) read() {
	room := make([]byte, eventsAtOnce*eventHead)
	for {
		n, err := h.group.Read(room)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil || n < eventHead { // the kernel refused one of itself
			h.lost.Add(1)
			time.Sleep(time.Millisecond)
			continue
		}
		for rest := room[:n]; len(rest) >= eventHead; {
			length := binary.NativeEndian.Uint32(rest)
			if length < minimalLength || int(length) > len(rest) {
				break
			}
			h.event(rest)
			rest = rest[length:]
		}
	}
}

// event answers one, and refuses where it cannot tell.
func (h *Hold) event(raw []byte) {
	fd, pid := int(int32(binary.NativeEndian.Uint32(raw[fdAt:]))), int(int32(binary.NativeEndian.Uint32(raw[pidAt:]))) //nolint:gosec // as the kernel has them
	if fd < 0 {
		return
	}
	began := time.Now()
	why, err := "", error(nil)
	if pid != os.Getpid() { // we never wait for ourselves
		if why, err = h.root.judge(fd, pid, h.Init.Pid); err != nil {
			why = "it could not be told what it is: " + err.Error()
		}
	}
	var r Refused
	answer := uint32(unix.FAN_ALLOW)
	if why != "" {
		answer = unix.FAN_DENY
		path, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		s, _ := readStatus(pid)
		r = Refused{path, why, Process{Pid: pid, UID: ownerOf(pid), Command: word(s.command), Ancestry: ancestry(pid)}, began}
	}
	var reply [8]byte                                   // struct fanotify_response
	binary.NativeEndian.PutUint32(reply[:], uint32(fd)) //nolint:gosec // a descriptor
	binary.NativeEndian.PutUint32(reply[4:], answer)
	_, _ = h.group.Write(reply[:]) // the process was killed meanwhile, or we close
	_ = unix.Close(fd)
	if why != "" {
		h.tell(r)
	}
}

// Refused judges a program that was not run.
func (c *Container) Refused(r Refused) Finding {
	name := word(r.Path)
	f := found(Drift, High, FromFiles, "refused "+name, fmt.Sprintf("%s was refused, which the image does not hold: %s", name, r.Why))
	f.Process = &r.Process
	return f
}

// UntoldRefusals is the finding that more programs were refused than are told of one by
// one.
func UntoldRefusals(n uint64) Finding {
	return found(Blind, Low, FromFiles, "refusals", fmt.Sprintf("%d more programs were refused than are told of", n))
}

package watch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// FileWatch tells who writes to some files of the host.
type FileWatch struct {
	fd   int
	lost atomic.Uint64
}

// Written is a write to a file: its path, and the process.
type Written struct {
	Path string
	Pid  int
	// started tells the process from another that gets its number.
	started uint64
}

// There is true while the process is there.
func (w Written) There() bool {
	return w.started != 0 && lowlevel.Init{Pid: w.Pid, Started: w.started}.Alive()
}

// Writes begins, with no file. It needs CAP_SYS_ADMIN.
func Writes() (*FileWatch, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE)
	if err != nil {
		return nil, fmt.Errorf("fanotify: %w", err)
	}
	return &FileWatch{fd: fd}, nil
}

// Add watches a file, or the files in a folder. One that is not there is no error.
func (w *FileWatch) Add(path string) error {
	err := unix.FanotifyMark(w.fd, unix.FAN_MARK_ADD, unix.FAN_MODIFY|unix.FAN_EVENT_ON_CHILD, unix.AT_FDCWD, path)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("fanotify: %s: %w", path, err)
	}
	return nil
}

// The layout of fanotify_event_metadata (fanotify(7)), in bytes.
const (
	eventHead                  = 24
	maskAt, fdAt, pidAt        = 8, 16, 20
	fanRoom                    = 64 << 10
	overflow                   = unix.FAN_Q_OVERFLOW
	minimalLength       uint32 = eventHead
)

// readPause is how long a read waits that failed.
const readPause = 10 * time.Millisecond

// Read waits for writes, and calls f with each. It returns when it is closed.
func (w *FileWatch) Read(f func(Written)) {
	room := make([]byte, fanRoom)
	for {
		n, err := unix.Read(w.fd, room)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EBADF) {
			return
		}
		if err != nil || n < eventHead { // the host has no file descriptor left: one event is lost
			w.lost.Add(1)
			time.Sleep(readPause)
			continue
		}
		for rest := room[:n]; len(rest) >= eventHead; {
			length := binary.NativeEndian.Uint32(rest)
			if length < minimalLength || int(length) > len(rest) {
				break
			}
			w.event(rest, f)
			rest = rest[length:]
		}
	}
}

func (w *FileWatch) event(raw []byte, f func(Written)) {
	if binary.NativeEndian.Uint64(raw[maskAt:])&overflow != 0 {
		w.lost.Add(1)
		return
	}
	fd, pid := int(int32(binary.NativeEndian.Uint32(raw[fdAt:]))), int(int32(binary.NativeEndian.Uint32(raw[pidAt:]))) //nolint:gosec // as the kernel has them
	if fd < 0 {
		return
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	_ = unix.Close(fd)
	if err == nil {
		s, _ := readStatus(pid)
		f(Written{path, pid, s.started})
	}
}

// Lost takes how often events found no room.
func (w *FileWatch) Lost() uint64 { return w.lost.Swap(0) }

// Whose is the container of a process, by its control group or its pid namespace;
// nil where it is none of them, or gone.
func Whose(all []*Container, pid int) *Container {
	if c := Owner(all, pid); c != nil {
		return c
	}
	space, err := readSpace(pid, "pid")
	if err != nil {
		return nil
	}
	for _, c := range all {
		if c.Spaces["pid"] == space && space != firstPids {
			return c
		}
	}
	return nil
}

// firstPids is the host's pid namespace (kernel, proc_ns.h, PROC_PID_INIT_INO).
const firstPids = 4026531836

// Changed judges a write to a file of hatchdog, of the low-level runtime or of an
// engine.
func (c *Container) Changed(w Written) Finding {
	s, _ := readStatus(w.Pid)
	f := found(Files, Critical, FromFiles, w.Path, fmt.Sprintf("%s writes to %s, from within the container", word(s.command), word(w.Path)))
	f.Process = &Process{Pid: w.Pid, UID: ownerOf(w.Pid), Command: word(s.command), Ancestry: ancestry(w.Pid)}
	return f
}

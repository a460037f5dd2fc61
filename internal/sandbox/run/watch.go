package run

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// watch tells when something on the host takes a hidden or a kept path away, or
// puts something else there: the kernel takes the box's mount away with it, and
// the command reaches what is there now.
type watch struct {
	root    int // of the box
	events  *os.File
	places  map[int32]string // directories of the box
	closed  map[string]bool  // paths of the box; true is hidden
	changed chan string      // the first path that is open
}

// look at what a directory has, not at what is written into its files (inotify(7)).
const watched = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_ONLYDIR | unix.IN_DONT_FOLLOW

// newWatch begins before the box is looked into, so that nothing is missed.
func newWatch(pid int, b *sandbox.Box) (*watch, error) {
	w := &watch{root: -1, places: map[int32]string{}, closed: map[string]bool{}, changed: make(chan string, 1)}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify_init1: %w", err)
	}
	w.events = os.NewFile(uintptr(fd), "inotify")
	for _, c := range b.Found.Hidden {
		w.closed[c.Path] = true
	}
	for _, c := range b.Found.Kept {
		if !w.closed[c.Path] {
			w.closed[c.Path] = false
		}
	}
	for path := range w.closed {
		dir := filepath.Dir(path)
		id, err := unix.InotifyAddWatch(fd, b.Host(dir), watched)
		if errors.Is(err, unix.ENOENT) {
			continue // it went with what was in it
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("watch of %s (fs.inotify.max_user_watches): %w", dir, err), w.close())
		}
		w.places[int32(id)] = dir
	}
	if w.root, err = unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, errors.Join(err, w.close())
	}
	go w.read()
	return w, nil
}

func (w *watch) close() error {
	if w == nil {
		return nil
	}
	if w.root >= 0 {
		_ = unix.Close(w.root)
	}
	return w.events.Close()
}

func (w *watch) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := w.events.Read(buf)
		if err != nil {
			return
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			id, mask, size := int32(binary.NativeEndian.Uint32(rest)), binary.NativeEndian.Uint32(rest[4:]), int(binary.NativeEndian.Uint32(rest[12:]))
			name := bytes.TrimRight(rest[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+size], "\x00")
			rest = rest[unix.SizeofInotifyEvent+size:]
			w.check(id, mask, string(name))
		}
	}
}

// check looks at the path of an event, or at all where events were lost.
func (w *watch) check(id int32, mask uint32, name string) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		for path := range w.closed {
			w.look(path)
		}
		return
	}
	if path := filepath.Join(w.places[id], name); name != "" {
		w.look(path)
	}
}

func (w *watch) look(path string) {
	hidden, ours := w.closed[path]
	if !ours || closed(w.root, path, hidden) == nil {
		return
	}
	select {
	case w.changed <- path:
	default:
	}
}

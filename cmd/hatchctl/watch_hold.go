package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/decision"
	pins "github.com/hatchdog/hatchdog/internal/effects/prevent"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// holding holds containers to drift that the kernel's guard does not hold. It waits
// for nothing else of the watch, because programs wait for it.
type holding struct {
	o       *options
	refused chan heldBack

	lost atomic.Uint64 // refusals that nobody was told of

	mu  sync.Mutex
	all map[string]*watch.Hold // by the container's key
}

// heldBack is a program of a container that was not run.
type heldBack struct {
	key   string
	first lowlevel.Init // its first process then
	watch.Refused
}

var (
	errNotByWatch = errors.New("its record does not say that the watch holds it")
	errOpenMounts = errors.New("what is run from some mounts is let be")
)

func newHolding(o *options) *holding {
	return &holding{o: o, refused: make(chan heldBack, 64), all: map[string]*watch.Hold{}}
}

// hold holds the container of a record, where that says so. A container that is held
// stays so. The error says what of it is not held.
func (h *holding) hold(c *watch.Container) error {
	key, r := c.Key(), c.Entry.Record
	if !slices.Contains(r.Prevent, pins.DriftName) || r.PreventBy == policy.ByGuard {
		return errNotByWatch
	}
	one := h.held(key, c.Init)
	if one == nil {
		// Without the lock: a file system that does not answer holds up no other.
		fresh, err := watch.NewHold(c.Init, r.Decision.Time, func(b watch.Refused) { h.tell(heldBack{key, c.Init, b}) })
		if err != nil {
			return err
		}
		one = h.keep(key, fresh)
	}
	if open := one.Open(); len(open) > 0 {
		return fmt.Errorf("%w: %s", errOpenMounts, strings.Join(open, "; "))
	}
	return nil
}

func (h *holding) held(key string, first lowlevel.Init) *watch.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	if one := h.all[key]; one != nil && one.Init == first {
		return one
	}
	return nil
}

// keep keeps one in the place of that of an earlier start. Where it is there already it
// is not needed.
func (h *holding) keep(key string, fresh *watch.Hold) *watch.Hold {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.all[key]
	if old != nil && old.Init == fresh.Init {
		fresh.Close()
		return old
	}
	if old != nil {
		old.Close()
	}
	h.all[key] = fresh
	return fresh
}

// tell keeps what was refused for the watch to tell of, where there is room.
func (h *holding) tell(b heldBack) {
	select {
	case h.refused <- b:
	default:
		h.lost.Add(1)
	}
}

// heldBack is the container whose program was refused; nil where it ended. One is held
// from its start on, and may not have been listed yet.
func (w *watcher) heldBack(b heldBack) *watched {
	c := w.all[b.key]
	if (c == nil || c.Init != b.first) && time.Since(w.listed) > listLeast {
		w.list(time.Now())
		c = w.all[b.key]
	}
	if c == nil || c.Init != b.first {
		return nil
	}
	return c
}

// untold takes how many refusals nobody was told of.
func (h *holding) untold() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.lost.Swap(0)
	for _, one := range h.all {
		n += one.Lost()
	}
	return n
}

// sweep lets those go that ended.
func (h *holding) sweep() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, one := range h.all {
		if !one.Init.Alive() {
			one.Close()
			delete(h.all, key)
		}
	}
}

// listen answers those that start containers, until the watch ends. The socket is the
// watch's own: it has the lock of the mark.
func (h *holding) listen() (net.Listener, error) {
	dir, err := os.Open(h.o.store().Base)
	if err != nil {
		return nil, err
	}
	// The path of the directory may be longer than a socket's.
	at := filepath.Join("/proc/self/fd", fmt.Sprint(dir.Fd()), pins.WatchSocket)
	if err := os.Remove(at); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, dir.Close())
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: at, Net: "unixpacket"})
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	go func() {
		defer dir.Close()
		for {
			c, err := l.AcceptUnix()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			go h.answer(c)
		}
	}()
	return l, nil
}

func (h *holding) answer(c *net.UnixConn) {
	defer c.Close() //nolint:errcheck // it was answered, or is gone
	const patience = 2 * time.Second
	_ = c.SetDeadline(time.Now().Add(patience))
	room := make([]byte, pins.Packet)
	n, err := c.Read(room)
	if err != nil || !fromUs(c) {
		return
	}
	_, _ = c.Write([]byte(h.reply(string(room[:n]))))
}

func (h *holding) reply(asked string) string {
	root, id, ok := strings.Cut(strings.TrimPrefix(asked, pins.AskHold), pins.Separator)
	switch {
	case asked == pins.AskStatus:
		h.mu.Lock()
		defer h.mu.Unlock()
		return fmt.Sprint(len(h.all))
	case !ok || !strings.HasPrefix(asked, pins.AskHold):
		return "it is not known what was asked"
	}
	if err := h.holdAtStart(root, id); err != nil {
		return harmless(err.Error())
	}
	return pins.Done
}

// holdAtStart holds a container whose first process waits for its start.
func (h *holding) holdAtStart(root, id string) error {
	e := decision.Entry{Root: root, ID: id}
	if err := decision.CheckID(id); err != nil {
		return err
	}
	var err error
	if e.Record, err = h.o.store().Load(root, id); err != nil {
		return err
	}
	c := &watch.Container{Entry: e}
	if c.Init, err = lowlevel.FindInit(root, id); err != nil {
		return err
	}
	return h.hold(c)
}

// fromUs is true where the other end is a process of our user.
func fromUs(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var who *unix.Ucred
	cerr := raw.Control(func(fd uintptr) {
		who, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) //nolint:gosec // a descriptor
	})
	return cerr == nil && err == nil && int(who.Uid) == os.Geteuid()
}

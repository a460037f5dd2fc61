package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/sandbox/run"
	"github.com/hatchdog/hatchdog/internal/why"
	"github.com/hatchdog/hatchdog/profiles/syscalls/numbers"
)

// learnName has a box a resolver that tells which names were asked for. Nobody has
// the name (RFC 6761, 6.4).
const learnName = "learn.invalid:1/tcp"

// missed is one way in which the command did not get at something.
type missed struct {
	call  string
	path  string // absolute, in the box; "" where it is not known
	errno syscall.Errno
	use   why.Use
	// filtered is true where the call did not reach the kernel.
	filtered bool
}

// learner watches what fails in a box.
type learner struct {
	mu    sync.Mutex
	seen  map[missed]int
	more  int    // ways that found no room
	blind string // why nothing is watched
	names map[int]string
	start string // where the command begins
	first int    // our own process in the box
	probe *probe.Probe
	stop  chan struct{}
	done  chan struct{}
}

// wayOut reports whether a box can have a network on this host.
func wayOut() bool {
	_, err := exec.LookPath("slirp4netns")
	return err == nil
}

// learner watches the run, where that is asked for; else it is nil.
func (f *runFlags) learner(r *run.Request) *learner {
	if !f.learn {
		return nil
	}
	l := newLearner(r.Box.Workdir())
	r.Created = l.watch
	return l
}

// learned is what was learned when the run is over.
func (l *learner) learned(r *run.Request, denied []lack) *learned {
	if l == nil {
		return nil
	}
	out := learn(&r.Box, denied, l.seen, onHost)
	if l.blind != "" {
		out.Notes = append(out.Notes, "files and system calls were not watched: "+l.blind)
	}
	if !wayOut() {
		out.Notes = append(out.Notes, "names and destinations were not watched: that needs slirp4netns")
	}
	if l.more > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("%d failures were too many or too fast to be told", l.more))
	}
	return &out
}

func newLearner(start string) *learner {
	return &learner{seen: map[missed]int{}, names: numbers.Names(runtime.GOARCH), start: start}
}

// watch begins with a box in which nothing runs yet. A host that cannot be watched
// keeps no command from running.
func (l *learner) watch(pid int) {
	l.first = pid
	p, err := inside.ReadProcess(lowlevel.Init{Pid: pid})
	if err == nil {
		l.probe, err = probe.Start(pid, p.PidLevel)
	}
	if err != nil {
		l.blind = err.Error()
		return
	}
	l.stop, l.done = make(chan struct{}), make(chan struct{})
	go l.read()
}

func (l *learner) read() {
	defer close(l.done)
	const step = 50 * time.Millisecond
	for {
		e, ok, err := l.probe.Read(time.Now().Add(step))
		if err != nil {
			return
		}
		if ok {
			l.add(e)
			continue
		}
		select {
		case <-l.stop:
			return
		default:
		}
	}
}

// end reads what is left.
func (l *learner) end() {
	if l == nil || l.probe == nil {
		return
	}
	l.probe.Detach()
	close(l.stop)
	<-l.done
	if n := l.probe.Lost(); n > 0 {
		l.more += int(min(n, 1<<30)) //nolint:gosec // bounded
	}
	_ = l.probe.Close()
	l.probe = nil
}

func (l *learner) add(e probe.Event) {
	name := l.names[e.Call]
	if e.Pid == l.first || strings.HasPrefix(e.Command, "runc:[") || ordinary(e, name) {
		return
	}
	path, use := pathOf(e, name)
	m := missed{call: name, errno: syscall.Errno(e.Errno), use: use, filtered: !e.Entered} //nolint:gosec // an errno
	if m.path = l.absolute(e, name, path); m.path == "" && e.Entered {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, have := l.seen[m]; !have && len(l.seen) >= kindsMost {
		l.more++
		return
	}
	l.seen[m]++
}

// absolute is the path that a call means, as far as its process is still there to
// be asked.
func (l *learner) absolute(e probe.Event, name, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	from := fmt.Sprintf("/proc/%d/cwd", e.Pid)
	const here = unix.AT_FDCWD & 0xffffffff
	if fd := e.Args[0] & 0xffffffff; strings.HasSuffix(name, "at") || name == "openat2" || name == "statx" {
		if fd != here {
			from = fmt.Sprintf("/proc/%d/fd/%d", e.Pid, fd)
		}
	}
	dir, err := os.Readlink(from)
	switch {
	case err == nil && filepath.IsAbs(dir):
		return filepath.Join(dir, path)
	case strings.HasSuffix(from, "/cwd"):
		return filepath.Join(l.start, path)
	}
	return ""
}

package logged

import (
	"fmt"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/inside"
	"github.com/hatchdog/hatchdog/internal/probe"
)

type task struct {
	inode         uint32
	parent, inner int
	started       uint64
}

type tasks map[int]task

func (all tasks) space(pid int) (uint32, bool) {
	one, ok := all[pid]
	return one.inode, ok
}

func (all tasks) parent(pid int) (parent, inner int) { return all[pid].parent, all[pid].inner }

func (all tasks) started(pid int) uint64 { return all[pid].started }

type scene struct {
	*Recorder
	all tasks
	at  time.Time
}

func newScene() *scene {
	s := &scene{all: tasks{1: {0, 0, 1, 1}, 100: {7, 50, 1, 900}, 101: {7, 100, 2, 901}, 200: {8, 50, 1, 950}}, at: time.Unix(1000, 0)}
	s.Recorder = newRecorder(s.all)
	s.now = func() time.Time { return s.at }
	return s
}

func (s *scene) call(pid, call int, comm string) {
	s.add(inside.Logged{Pid: pid, Command: comm, Program: "/" + comm, Call: call})
}

func (s *scene) count(t *testing.T, inode uint32, ticks uint64, call uint64) (n uint64) {
	t.Helper()
	want := probe.NamespaceAt(inode, ticks)
	none := func(probe.Namespace) bool { return false }
	if err := s.Entries(func(n probe.Namespace) bool { return n == want }, none, func(e probe.Entry) {
		if e.Kind == probe.KindCall && e.What == call {
			n += e.Count
		}
	}); err != nil {
		t.Error(err)
	}
	return n
}

func TestCallsAreCountedByTheContainer(t *testing.T) {
	s := newScene()
	s.call(101, 3, "web") // its first process is found among its ancestors
	s.call(100, 3, "web")
	s.call(200, 3, "db")
	s.call(100, 4, "runc:[2:INIT]")
	s.call(1, 3, "host")
	delete(s.all, 101)
	s.at = s.at.Add(time.Second)
	s.call(101, 3, "web") // its last, read after its end
	if got := s.count(t, 7, 900, 3); got != 3 {
		t.Errorf("%d of the first", got)
	}
	if got := s.count(t, 8, 950, 3); got != 1 {
		t.Errorf("%d of the second", got)
	}
	if got := s.count(t, 7, 900, 4); got != 0 {
		t.Error("the low-level runtime's own is counted")
	}
	if s.gone != 0 {
		t.Errorf("%d of nobody", s.gone)
	}
}

// The number of a namespace and of a process are given again: what the next has done
// is not the first one's.
func TestNumbersThatAreGivenAgain(t *testing.T) {
	s := newScene()
	s.call(100, 3, "web")
	s.all[100] = task{7, 50, 1, 2000}
	s.at = s.at.Add(time.Second)
	s.call(100, 3, "other")
	if first, second := s.count(t, 7, 900, 3), s.count(t, 7, 2000, 3); first != 1 || second != 1 {
		t.Errorf("%d and %d", first, second)
	}
	delete(s.all, 100)
	s.at = s.at.Add(time.Minute)
	s.call(100, 3, "late")
	if s.gone != 1 {
		t.Error("a process of a minute ago is taken for this")
	}
}

// A process that was never seen alive is the container's that has its user, if one
// has.
func TestProcessesThatAreGoneAreKnownByTheirUser(t *testing.T) {
	s := newScene()
	by := func(pid int, uid uint32) { s.add(inside.Logged{Pid: pid, UID: uid, Command: "x", Call: 3}) }
	by(100, 1000)
	by(7777, 1000)
	by(1, 0)
	s.at = s.at.Add(time.Second)
	by(100, 0)
	by(7778, 0) // the host has this user too
	if got := s.count(t, 7, 900, 3); got != 3 || s.gone != 1 {
		t.Errorf("%d, %d of nobody", got, s.gone)
	}
	by(200, 1000)
	by(7779, 1000) // of one of two
	if s.gone != 2 {
		t.Errorf("%d of nobody", s.gone)
	}
	s.all[400] = task{9, 50, 1, 4000}
	by(400, 2000)
	by(7780, 2000)
	delete(s.all, 400)
	by(7781, 2000)
	if got := s.count(t, 9, 4000, 3); got != 3 {
		t.Errorf("%d", got)
	}
	s.at = s.at.Add(time.Minute)
	by(7782, 2000) // long after
	if s.gone != 3 {
		t.Errorf("%d of nobody", s.gone)
	}
}

// A process that entered from outside has no ancestor there.
func TestWhoEnteredIsKnownByTheFirstProcess(t *testing.T) {
	s := newScene()
	s.all[300] = task{8, 1, 9, 3000}
	s.call(300, 3, "sh")
	s.Known(8, 200)
	s.call(300, 3, "sh")
	if got := s.count(t, 8, 950, 3); got != 1 || s.gone != 1 {
		t.Errorf("%d, %d of nobody", got, s.gone)
	}
	s.Known(9, 200)
	if len(s.spaces) != 1 {
		t.Error("a process of another namespace was taken for the first of this")
	}
}

func TestFloodsAreBounded(t *testing.T) {
	s := newScene()
	for i := range textsMost + 100 {
		s.add(inside.Logged{Pid: 100, Command: "x", Program: fmt.Sprint("/", i), Call: 59})
	}
	states, err := s.States()
	if err != nil || len(states) != 1 || states[0].Lost != 100 {
		t.Errorf("%v %v", states, err)
	}
	for i := range 2 * pidsMost {
		s.all[1000+i] = task{7, 100, 3, 5}
		s.call(1000+i, 3, "x")
	}
	if len(s.pids) > pidsMost {
		t.Errorf("%d processes", len(s.pids))
	}
	for i := range uint32(2 * spacesMost) {
		s.all[100] = task{1000 + i, 50, 1, 5000 + uint64(i)}
		s.at = s.at.Add(time.Second)
		s.call(100, 3, "x")
	}
	if len(s.spaces) > spacesMost || len(s.current) > spacesMost {
		t.Errorf("%d namespaces", len(s.spaces))
	}
	all := func(probe.Namespace) bool { return true }
	if err := s.Entries(func(probe.Namespace) bool { return false }, all, nil); err != nil || len(s.spaces) > 1 {
		t.Errorf("%d are left that are gone: %v", len(s.spaces), err)
	}
}

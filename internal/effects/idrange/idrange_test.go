package idrange

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/hatchdog/hatchdog/internal/host"
)

// place is a store with accounts of its own. living holds who lives.
func place(t *testing.T, files map[string]string) (Store, map[string]bool) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	living := map[string]bool{}
	return Store{Dir: t.TempDir(), Files: root, Lives: func(h Holder) bool { return living[h.ID] }}, living
}

var unit = host.IDRange{Size: Size}

func take(t *testing.T, s Store, id string) host.IDRange {
	t.Helper()
	r, err := s.Take(Holder{Root: "/run/r", ID: id}, unit)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTakeShareFree(t *testing.T) {
	s, living := place(t, nil)
	living["a"], living["b"], living["c"] = true, true, true
	next, err := s.Next(unit)
	if err != nil {
		t.Fatal(err)
	}
	a, b := take(t, s, "a"), take(t, s, "b")
	if a != next || a.Base != defaultFirst || a.Size != Size || b.Base != defaultFirst+Size {
		t.Errorf("%v %v %v", next, a, b)
	}
	if again := take(t, s, "a"); again != a {
		t.Errorf("the same holder got %v and %v", a, again)
	}
	if err := s.Share(Holder{Root: "/run/r", ID: "c"}, a.Base); err != nil {
		t.Fatal(err)
	}
	if err := s.Share(Holder{Root: "/run/r", ID: "c"}, 4711); !errors.Is(err, ErrNotHeld) {
		t.Error(err)
	}
	if err := s.Free("/run/r", "a", ""); err != nil {
		t.Fatal(err)
	}
	held, err := s.Held()
	if err != nil || len(held) != 2 || held[0].Base != a.Base || held[0].Holders[0].ID != "c" {
		t.Errorf("%v %v", held, err)
	}
	living["d"] = true
	if d := take(t, s, "d"); d.Base != defaultFirst+2*Size {
		t.Errorf("a shared range was given away: %v", d)
	}
	if err := s.Free("/other", "b", ""); err != nil {
		t.Fatal(err)
	}
	if held, _ = s.Held(); len(held) != 3 {
		t.Errorf("the container of another root was freed: %v", held)
	}
}

// An id may come again before the last one's delete is done.
func TestAnIDThatComesAgain(t *testing.T) {
	s, living := place(t, nil)
	living["a"] = true
	first, err := s.Take(Holder{Root: "/r", ID: "a", Creator: "1"}, unit)
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.Take(Holder{Root: "/r", ID: "a", Creator: "2"}, unit)
	if err != nil || second != first {
		t.Errorf("%v %v %v", first, second, err)
	}
	if err := s.Free("/r", "a", "1"); err != nil {
		t.Fatal(err)
	}
	if held, _ := s.Held(); len(held) != 1 || held[0].Holders[0].Creator != "2" {
		t.Errorf("the first's delete freed what the second holds: %v", held)
	}
}

func TestTheDeadHoldNothing(t *testing.T) {
	s, living := place(t, nil)
	s.Pool = "70000:65536"
	living["a"] = true
	a := take(t, s, "a")
	living["a"], living["b"] = false, true
	if b := take(t, s, "b"); b != a {
		t.Errorf("%v is still held by the dead: %v", a, b)
	}
	held, err := s.Held()
	if err != nil || len(held) != 1 || held[0].Holders[0].ID != "b" {
		t.Errorf("%v %v", held, err)
	}
}

func TestAfterAReboot(t *testing.T) {
	s, living := place(t, map[string]string{"proc/sys/kernel/random/boot_id": "one\n"})
	living["a"] = true
	a := take(t, s, "a")
	if err := os.WriteFile(filepath.Join(s.Files, "proc/sys/kernel/random/boot_id"), []byte("two\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	living["b"] = true
	if b := take(t, s, "b"); b != a {
		t.Errorf("%v %v", a, b)
	}
}

func TestUsersAndOthersAreLeftAlone(t *testing.T) {
	s, living := place(t, map[string]string{
		"etc/subuid": "hatchdog:200000:262144\nann:100000:65536\nbob:265536:10\n",
		"etc/subgid": "hatchdog:200000:262144\nann:100000:65536\n",
		"etc/passwd": "root:x:0:0::/:/bin/sh\neve:x:200100:1::/:/bin/sh\n",
		"etc/group":  "x:x:400000:\n",
	})
	living["a"], living["b"] = true, true
	if a := take(t, s, "a"); a.Base != 331072 {
		t.Errorf("%v", a)
	}
	_, err := s.Take(Holder{ID: "b"}, unit)
	var full *Exhausted
	if !errors.As(err, &full) || full.Units != 4 || full.Held != 1 || full.Skipped != 3 {
		t.Errorf("%+v", err)
	}
	if !strings.Contains(err.Error(), "of the 4 ranges of 65536 in the pool 200000:262144 (/etc/subuid), 1 are held by containers and 3 hold ids of users") {
		t.Error(err)
	}
}

func TestBadPools(t *testing.T) {
	for _, pool := range []string{"1", "0:65536", "65535:65536", "100000:65535", "4294967000:65536", "a:b", "100000:-1", "100000:4294967295"} {
		s, _ := place(t, nil)
		s.Pool = pool
		if r, err := s.Take(Holder{ID: "a"}, unit); !errors.Is(err, errPool) {
			t.Errorf("%s: %v %v", pool, r, err)
		}
	}
	s, _ := place(t, map[string]string{"etc/subuid": "hatchdog:100000:65536\n"})
	if _, err := s.Take(Holder{ID: "a"}, unit); !errors.Is(err, errUneven) {
		t.Error(err)
	}
}

func TestAFileThatOthersWriteIsRefused(t *testing.T) {
	s, living := place(t, nil)
	living["a"] = true
	take(t, s, "a")
	if err := os.Chmod(s.file(), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(Holder{ID: "b"}, unit); !errors.Is(err, errForeign) {
		t.Error(err)
	}
}

func TestALostFileIsToldFromTheProcesses(t *testing.T) {
	s, living := place(t, nil)
	living["a"] = true
	a := take(t, s, "a")
	if err := os.WriteFile(s.file(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	// No process is in the range: it is free.
	if got := take(t, s, "a"); got != a {
		t.Errorf("%v", got)
	}
}

// A thousand containers come and go, eight at a time: no range is held twice,
// and in the end none is held.
func TestThousandCyclesLeaveNothing(t *testing.T) {
	s, _ := place(t, nil)
	s.Lives = func(Holder) bool { return true }
	var mu sync.Mutex
	now := map[uint32]string{}
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 125 {
				h := Holder{Root: "/run/r", ID: fmt.Sprintf("%d-%d", worker, i)}
				r, err := s.Take(h, unit)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if other, twice := now[r.Base]; twice {
					t.Errorf("%d is held by %s and %s", r.Base, other, h.ID)
				}
				now[r.Base] = h.ID
				mu.Unlock()
				mu.Lock()
				delete(now, r.Base)
				mu.Unlock()
				if err := s.Free(h.Root, h.ID, h.Creator); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if held, err := s.Held(); err != nil || len(held) != 0 {
		t.Errorf("%v %v", held, err)
	}
	if r := take(t, s, "z"); r.Base != defaultFirst {
		t.Errorf("the pool has shrunk: %v", r)
	}
}

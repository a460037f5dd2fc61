package idrange

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/host"
)

// process puts a process into the store's own /proc. state is as proc(5) has it.
func process(t rapid.TB, s Store, pid int, ns, idMap, state string) string {
	t.Helper()
	dir := filepath.Join("/", s.Files, "proc", fmt.Sprint(pid))
	if err := os.MkdirAll(dir+"/ns", 0o755); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(dir + "/ns/user")
	if err := os.Symlink(ns, dir+"/ns/user"); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"uid_map": idMap, "stat": fmt.Sprintf("%d (a) b) %s 1", pid, state)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// crowd is a host of n processes, in the host's user namespace and in one that
// all share.
func crowd(t *testing.T, s Store, n int) {
	t.Helper()
	process(t, s, 1, "user:[1]", "0 0 4294967295\n", "S")
	if err := os.Symlink("1", filepath.Join("/", s.Files, "proc/self")); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		process(t, s, 100+i, "user:[1]", "0 0 4294967295\n", "S")
		process(t, s, 100000+i, "user:[2]", fmt.Sprintf("         0 %d      65536\n", defaultFirst), "S")
	}
}

// What a create opens does not grow with the processes and the containers of the
// host. Where the file was lost, all processes are looked at once, and each user
// namespace is read once.
func TestWhatIsOpenedDoesNotGrow(t *testing.T) {
	opened := map[int][]int{}
	for _, n := range []int{1, 50} {
		s, _ := place(t, nil)
		count, lives := 0, 0
		s.Lives = func(Holder) bool { lives++; return true }
		crowd(t, s, n)
		s.opened = func() { count++ }
		for i := range 3 {
			count = 0
			if r := take(t, s, fmt.Sprint(i)); r.Base != defaultFirst+uint32(i+1)*Size {
				t.Fatalf("%d: a range in use was given away: %v", i, r)
			}
			opened[n] = append(opened[n], count)
		}
		if lives != 0 {
			t.Errorf("%d holders were looked for", lives)
		}
	}
	// self, 1, and of each process the link; uid_map and stat of one.
	if want := []int{2 + 2*50 + 2, 0, 0}; !slices.Equal(opened[50], want) {
		t.Errorf("%v, want %v", opened[50], want)
	}
	if want := []int{2 + 2*1 + 2, 0, 0}; !slices.Equal(opened[1], want) {
		t.Errorf("%v, want %v", opened[1], want)
	}
}

// The dead are looked for once in a while, and not at each create.
func TestTheDeadAreLookedForWhenTheRangesHaveDoubled(t *testing.T) {
	s, _ := place(t, nil)
	crowd(t, s, 3)
	looks := 0
	s.opened = func() { looks++ }
	s.Lives = func(Holder) bool { return false } // each died without a word
	took := 1000
	for i := range took {
		take(t, s, fmt.Sprint(i))
	}
	st, err := s.read()
	if err != nil || len(st.Ranges) > enough+2 {
		t.Errorf("%d ranges of the dead are kept, %v", len(st.Ranges), err)
	}
	if looks > took {
		t.Errorf("%d files were opened in %d creates", looks, took)
	}
}

// A range that a process without a record lives in is nobody's to give, until
// the process is gone.
func TestWhatIsFoundIsHeldUntilItsProcessesEnd(t *testing.T) {
	s, living := place(t, nil)
	s.Pool = fmt.Sprintf("%d:%d", defaultFirst, 4*Size)
	dir := process(t, s, 7, "user:[7]", fmt.Sprintf("0 %d 65536\n1234567 %d 65536\n", defaultFirst, defaultFirst+Size), "S")
	process(t, s, 8, "user:[8]", fmt.Sprintf("0 %d 65536\n", defaultFirst+2*Size), "Z")
	living["a"], living["b"], living["c"] = true, true, true
	if a := take(t, s, "a"); a.Base != defaultFirst+2*Size {
		t.Errorf("%v", a)
	}
	if st, err := s.read(); err != nil || st.Lost || len(st.Ranges) != 3 {
		t.Errorf("what was found is not kept: %+v %v", st, err)
	}
	two := host.IDRange{Size: 2 * Size}
	if r, err := s.Take(Holder{ID: "b"}, two); err == nil {
		t.Errorf("a range in use was given away: %v", r)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Take(Holder{ID: "b"}, two); err != nil || r.Base != defaultFirst {
		t.Errorf("%v %v", r, err)
	}
}

// An answer that the processes cannot give leaves the file lost.
func TestAFileStaysLostUntilTheProcessesAreKnown(t *testing.T) {
	s, _ := place(t, nil)
	if err := os.MkdirAll(filepath.Join(s.Files, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Pool = "70000:65536"
	process(t, s, 7, "user:[7]", "0 70000 65536\n", "S")
	if _, err := s.Take(Holder{ID: "a"}, unit); err == nil {
		t.Fatal("a range in use was given away")
	}
	if _, err := os.Stat(s.file()); err == nil {
		t.Error("a file was written, and nothing is held")
	}
	if err := os.RemoveAll(filepath.Join(s.Files, "proc/7")); err != nil {
		t.Fatal(err)
	}
	if r := take(t, s, "a"); r.Base != 70000 {
		t.Errorf("%v", r)
	}
}

// A file of a version that had units alone is read as it was meant.
func TestARangeWithoutASizeIsAUnit(t *testing.T) {
	s, living := place(t, nil)
	living["a"], living["b"] = true, true
	text := fmt.Sprintf(`{"boot":%q,"ranges":[{"base":%d,"holders":[{"root":"/run/r","id":"a","creator":"","record":""}]}]}`, bootID(s.Files), defaultFirst)
	if err := os.WriteFile(s.file(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, b := take(t, s, "a"), take(t, s, "b"); a.Base != defaultFirst || a.Size != Size || b.Base != defaultFirst+Size {
		t.Errorf("%v %v", a, b)
	}
}

// What is held: containers come with ranges of every size and shape, die without
// a word, leave processes behind, and the file is lost. Never do two that live
// hold one id.
func TestNoTwoHoldOneID(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dirs := t.TempDir()
		const first, units = 200000, 12
		living, held, process0 := map[string]bool{}, map[string]host.IDRange{}, 0
		s := Store{Dir: dirs + "/ids", Files: dirs, Pool: fmt.Sprintf("%d:%d", first, units*Size), Lives: func(h Holder) bool { return living[h.ID] }}
		if err := os.MkdirAll(dirs+"/proc", 0o755); err != nil {
			r.Fatal(err)
		}
		pick := func(label string) string {
			return rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(r, label)
		}
		runs := map[string]string{} // the process of a container
		end := func(id string) {
			if dir, ok := runs[id]; ok {
				_ = os.RemoveAll(dir)
				delete(runs, id)
			}
			delete(held, id)
			delete(living, id)
		}
		r.Repeat(map[string]func(*rapid.T){
			"take": func(r *rapid.T) {
				id, want := pick("id"), host.IDRange{Size: uint32(rapid.IntRange(1, 4).Draw(r, "units")) * Size}
				for _, above := range rapid.SliceOfN(rapid.Uint32(), 0, 3).Draw(r, "above") {
					want = want.With(above)
				}
				if _, there := held[id]; there {
					return
				}
				got, err := s.Take(Holder{Root: "/r", ID: id}, want)
				if err != nil {
					return
				}
				if want.Base = got.Base; got != want || got.Base < first || uint64(got.Base)+uint64(got.Size) > first+units*Size {
					r.Fatalf("asked for %v, got %v", want, got)
				}
				for other, o := range held {
					if o.Overlaps(got) {
						r.Fatalf("%s has %v, and %s %v", id, got, other, o)
					}
				}
				process0++
				text := ""
				for _, l := range got.Lines() {
					text += fmt.Sprintf("%10d %10d %10d\n", l.Inside, l.Outside, l.Size)
				}
				runs[id] = process(r, s, process0, fmt.Sprintf("user:[%d]", process0), text, "S")
				held[id], living[id] = got, true
			},
			"delete": func(r *rapid.T) {
				id := pick("id")
				if err := s.Free("/r", id, ""); err != nil {
					r.Fatal(err)
				}
				end(id)
			},
			"killed":       func(r *rapid.T) { end(pick("id")) },
			"runtime dead": func(r *rapid.T) { living[pick("id")] = false }, // its processes run on, and hold the ids
			"lost":         func(*rapid.T) { _ = os.Remove(s.file()) },
			"garbled":      func(*rapid.T) { _ = os.WriteFile(s.file(), []byte("{"), 0o600) },
		})
	})
}

// However many live, the holders that are looked at are few for each create.
func TestTheLivingAreLookedAtSeldom(t *testing.T) {
	s, _ := place(t, nil)
	looks := 0
	s.Lives = func(Holder) bool { looks++; return true }
	const took = 600
	for i := range took {
		take(t, s, fmt.Sprint(i))
	}
	if looks > 2*took {
		t.Errorf("%d holders were looked at in %d creates", looks, took)
	}
}

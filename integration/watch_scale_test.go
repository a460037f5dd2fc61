package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// watchedMost is beside how many containers the watch is measured; make soak has more.
var watchedMost = flag.Int("watched", 40, "how many containers TestSoakWatchOfMany has the watch watch")

// watchRoom is what the watch may hold, in KiB.
const watchRoom = 40 << 10

// resident is what a watch holds, in KiB: memory of its own, and pages that it shares
// with the kernel.
func (w *watching) resident(t *testing.T) int {
	t.Helper()
	for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			must(t, err)
			return n
		}
	}
	t.Fatal("the watch has no memory")
	return 0
}

// descriptors are its open files.
func (w *watching) descriptors(t *testing.T) int {
	t.Helper()
	return children(t, fmt.Sprintf("/proc/%d/fd", w.cmd.Process.Pid))
}

// inTwos does something for each number, two at a time.
func inTwos(n int, do func(i int)) {
	var both sync.WaitGroup
	for worker := range 2 {
		both.Go(func() {
			for i := worker; i < n; i += 2 {
				do(i)
			}
		})
	}
	both.Wait()
}

// The watch stays small, however many containers it watches; killed while containers
// come and go, it finds all of them when it runs again.
func TestSoakWatchOfMany(t *testing.T) {
	c := newCaller(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: required}}}\n")
	id := func(i int) string { return fmt.Sprintf("many-%d", i) }
	bundles := make([]string, *watchedMost)
	for i := range bundles {
		bundles[i] = sleepingBundle(t)
	}
	t.Cleanup(func() {
		inTwos(len(bundles), func(i int) { _ = c.call(id(i), "delete", "--force", id(i)) })
	})
	w := startWatch(t, c.policy)
	inTwos(len(bundles), func(i int) {
		for _, args := range [][]string{{"create", "--bundle", bundles[i], id(i)}, {"start", id(i)}} {
			if err := c.call(id(i), args...); err != nil {
				t.Error(err)
			}
		}
	})
	time.Sleep(10 * time.Second) // looks at all of them
	if kib := w.resident(t); kib > watchRoom {
		t.Errorf("the watch of %d containers has %d KiB", len(bundles), kib)
	} else {
		t.Logf("the watch of %d containers has %.1f MiB", len(bundles), float64(kib)/1024)
	}

	stop := make(chan struct{})
	var load sync.WaitGroup
	bundle, process := sleepingBundle(t), c.process(t)
	load.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				c.cycle(t, bundle, process, 4*n)
			}
		}
	})
	for range 3 {
		_ = w.cmd.Process.Signal(syscall.SIGKILL)
		w.stop(syscall.SIGKILL)
		w = startWatch(t, c.policy)
		var found int
		_, err := fmt.Sscanf(w.said(), "hatchctl: %d containers are watched", &found)
		must(t, err)
		if found != len(bundles) && found != len(bundles)+1 {
			t.Errorf("%d containers run, and the one that comes and goes; %d were found", len(bundles), found)
		}
		w.want(t, watch.Blind, "nobody watched from")
	}
	close(stop)
	load.Wait()
	last := len(bundles) - 1
	mustRun(t, "nsenter", "--target", strings.TrimSpace(firstOf(t, c, id(last))), "--pid", "sleep", "3") // the host's root
	if a := w.want(t, watch.Escape, "and its container has one of its own"); a.ID != id(last) {
		t.Errorf("%+v", a)
	}
}

// firstOf is the first process of a container, as its low-level runtime has it.
func firstOf(t *testing.T, c *caller, id string) string {
	t.Helper()
	state := read(t, filepath.Join(c.root, id, "state.json"))
	_, rest, ok := strings.Cut(state, `"init_process_pid":`)
	if !ok {
		t.Fatal("no first process")
	}
	pid, _, _ := strings.Cut(rest, ",")
	return pid
}

// Containers that come and go leave nothing in the watch, and none of them is told of.
func TestSoakWatch(t *testing.T) {
	c := newCaller(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: required}}}\n")
	bundles := [2]string{sleepingBundle(t), sleepingBundle(t)}
	process := c.process(t)
	w := startWatch(t, c.policy)
	run := func(from, n int) {
		inTwos(n, func(i int) {
			if !t.Failed() {
				c.cycle(t, bundles[i%2], process, from+i)
			}
		})
		time.Sleep(3 * time.Second)
	}
	warm := min(*cycles, 200)
	run(0, warm)
	memory, files := w.resident(t), w.descriptors(t)
	run(warm, *cycles)
	after, filesAfter := w.resident(t), w.descriptors(t)
	t.Logf("%d containers: the watch has %d KiB, and had %d after %d; %d open files, and had %d", warm+*cycles, after, memory, warm, filesAfter, files)
	if filesAfter > files || after > watchRoom || after > memory+4<<10 {
		t.Errorf("it grows")
	}
	w.none(t, "containers that come and go")
}

// Whoever makes more events than anybody reads loses them, is told of, and costs the
// watch of the others nothing.
func TestWatchOutlivesAFlood(t *testing.T) {
	loud, other := watchedBox("loud", "profile: restricted\n").make(t), watchedBox("other", "profile: restricted\n").make(t)
	other.dir = loud.dir // one policy, one audit log
	program, err := os.ReadFile(filepath.Join(tested.dir, "bin", "asks64"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(loud.bundle, "rootfs/bin/asks64"), program, 0o755))
	for _, m := range []*made{loud, other} {
		t.Cleanup(func() { m.stop(t) })
		m.start(t)
	}
	w := startWatch(t, loud.dir+"/policy.yaml")
	rate := make(chan string, 1)
	go func() {
		out, _ := loud.exec(t, "asks64 flood")
		rate <- strings.TrimSpace(out)
	}()
	time.Sleep(2 * time.Second)
	other.exec(t, "cp /bin/busybox /work/true && /work/true")
	if a := w.want(t, watch.Drift, "/work/true"); a.ID != other.name {
		t.Errorf("%+v", a)
	}
	made, err := strconv.ParseFloat(<-rate, 64)
	must(t, err)
	a := w.want(t, watch.Flood, "more than are kept")
	t.Logf("%.0f events a second; %s; the watch has %d KiB", made, a.What, w.resident(t))
	if made < 2e4 { // 1e5 and more where nobody else uses the processors
		t.Errorf("%.0f events a second are no flood", made)
	}
	loud.exec(t, "cp /bin/busybox /work/id; /work/id")
	w.want(t, watch.Drift, "/work/id")
	for _, a := range w.of(watch.Blind) {
		t.Errorf("%+v", a)
	}
}

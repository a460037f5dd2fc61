package integration

import (
	"flag"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// engineCycles is how many containers TestSoakDocker and TestSoakCRI start, and
// atOnce how many of them live at the same time.
var (
	engineCycles = flag.Int("engine-cycles", 0, "how many containers the soaks of engines start; a sixth of -cycles where it is 0")
	atOnce       = flag.Int("at-once", 8, "how many containers the soaks of engines hold at once")
)

func engineRounds() int {
	if *engineCycles > 0 {
		return *engineCycles
	}
	return max(1, *cycles/6)
}

// size is what daemons hold themselves.
type size struct{ files, kilobytes int }

func sizeOf(t *testing.T, daemons ...*exec.Cmd) size {
	t.Helper()
	var s size
	for _, d := range daemons {
		s.files += children(t, fmt.Sprintf("/proc/%d/fd", d.Process.Pid))
		for line := range strings.Lines(read(t, fmt.Sprintf("/proc/%d/status", d.Process.Pid))) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "RssAnon:" {
				n, err := strconv.Atoi(f[1])
				must(t, err)
				s.kilobytes += n
			}
		}
	}
	return s
}

// wantSize: no more files than connections that daemons keep for a while, no more
// memory than their collector leaves lying about.
func wantSize(t *testing.T, before size, daemons ...*exec.Cmd) {
	t.Helper()
	now := sizeOf(t, daemons...)
	t.Logf("the daemons had %d files and %d kB, and have %d and %d", before.files, before.kilobytes, now.files, now.kilobytes)
	if now.files > before.files+12 {
		t.Errorf("the daemons have %d files open, and %d before", now.files, before.files)
	}
	if now.kilobytes > before.kilobytes+64<<10 {
		t.Errorf("the daemons have %d kB of memory, and %d before", now.kilobytes, before.kilobytes)
	}
}

// TestSoakDocker: containers behind Docker come and go, one after the other and
// many at once, and leave nothing, in the daemons neither.
func TestSoakDocker(t *testing.T) {
	eachDocker(t, func(t *testing.T, d *docker) {
		one := func() { d.do(t, "run", "--rm", "--runtime=hatchdog", "busybox", "true") }
		one()
		before, held := tracesOf(t, d.dir), sizeOf(t, d.cmd, d.below)
		for range engineRounds() {
			one()
		}
		ids := make([]string, *atOnce)
		atATime(4, *atOnce, func(i int) {
			out, code := d.try(t, "run", "-d", "--net=none", "--runtime=hatchdog", "busybox", "sleep", "3600")
			if ids[i] = strings.TrimSpace(out); code != 0 {
				t.Errorf("container %d: %s", i, out)
			}
		})
		d.try(t, append([]string{"rm", "-f"}, ids...)...)
		wantTraces(t, d.dir, before)
		wantSize(t, held, d.cmd, d.below)
	})
}

// TestSoakCRI is the same with pods, through both doors.
func TestSoakCRI(t *testing.T) {
	k := startCRI(t)
	start := func(name, handler string) string {
		config := pod("apps", name, object{}, nil)
		sandbox, failure := k.sandboxOf(t, handler, config)
		if failure == "" {
			_, failure = k.container(t, sandbox, config, "c", object{})
		}
		if failure != "" {
			t.Errorf("%s: %s", name, failure)
		}
		return sandbox
	}
	end := func(sandbox string) {
		for _, call := range []string{"StopPodSandbox", "RemovePodSandbox"} {
			if _, failure := k.try(t, call, object{"podSandboxId": sandbox}); failure != "" {
				t.Errorf("%s: %s", call, failure)
			}
		}
	}
	for _, handler := range handlers {
		end(start("first-"+handler, handler))
	}
	before, held := tracesOf(t, k.dir), sizeOf(t, k.daemon)
	for i := range engineRounds() {
		if end(start(fmt.Sprintf("soak-%d", i), handlers[i%len(handlers)])); t.Failed() {
			break
		}
	}
	pods := make([]string, *atOnce)
	atATime(4, *atOnce, func(i int) { pods[i] = start(fmt.Sprintf("at-once-%d", i), handlers[i%len(handlers)]) })
	atATime(4, *atOnce, func(i int) { end(pods[i]) })
	wantTraces(t, k.dir, before)
	wantSize(t, held, k.daemon)
}

// atATime calls f for each of n, workers of them at a time.
func atATime(workers, n int, f func(int)) {
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	all.Wait()
}

package integration

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/watch"
)

// byFunctions is whether a watch sees calls without a cost to all others. Of the virtual
// machine's kernels only the older does not, whose types lack some functions.
func (w *watching) byFunctions(t *testing.T) bool {
	t.Helper()
	waitFor(t, "the watch to say how it sees calls", func() bool {
		return strings.Contains(w.said(), probe.CallsByFunctions) || strings.Contains(w.said(), "takes a little longer")
	})
	does := strings.Contains(w.said(), probe.CallsByFunctions)
	if !does && hasFeature(t, "bpflsm") && !strings.Contains(w.said(), "the kernel's types: __x64_sys_") {
		t.Errorf("this kernel lets functions be looked at:\n%s", w.said())
	}
	return does
}

// Calls are told of with their names, and those of 32-bit programs where the kernel
// lets its functions be looked at; elsewhere none is told for another.
func TestWatchTellsOfCalls(t *testing.T) {
	for _, bits := range []string{"64", "32"} {
		m := watchedBox("asks"+bits, "profile: restricted\n").make(t)
		t.Cleanup(func() { m.stop(t) })
		m.start(t)
		w := startWatch(t, m.dir+"/policy.yaml")
		functions := w.byFunctions(t)
		name := "asks" + bits
		mustRun(t, "nsenter", "--target", m.first(t), "--pid", filepath.Join(tested.dir, "bin", name), "calls")
		if bits == "32" && !functions {
			w.want(t, watch.Escape, name) // what it executes is seen
			time.Sleep(time.Second)
			if n := len(w.of(watch.Calls)) + len(w.of(watch.Kernel)); n > 0 {
				t.Errorf("%d calls are told of: %+v", n, w.of(watch.Calls))
			}
			continue
		}
		source := probe.CallsByTracepoint
		if functions {
			source = probe.CallsByFunctions
		}
		for _, c := range []struct {
			kind watch.Kind
			says string
		}{
			{watch.Calls, "unshare of namespaces succeeded, called by " + name},
			{watch.Calls, "mount of /tmp succeeded"},
			{watch.Kernel, name + " opened sys/kernel/core_pattern for writing"},
		} {
			if a := w.want(t, c.kind, c.says); a.Source != source {
				t.Errorf("%q, not %q: %+v", a.Source, source, a)
			}
		}
	}
}

// Where the kernel lets its functions be looked at, a call that is not told of takes
// as long as without a watch.
func TestWatchLeavesOtherCallsAlone(t *testing.T) {
	took := func() float64 {
		out, err := exec.Command(filepath.Join(tested.dir, "bin", "asks64"), "time").Output()
		must(t, err)
		n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		must(t, err)
		return n
	}
	m := watchedBox("alone", "profile: restricted\n").make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	without, with := 0.0, 0.0
	functions, how := false, probe.CallsByTracepoint
	for range 3 { // the least of each: others use the processors too
		w := startWatch(t, m.dir+"/policy.yaml")
		if functions = w.byFunctions(t); functions {
			how = probe.CallsByFunctions
		}
		least(&with, took())
		w.stop(syscall.SIGTERM)
		least(&without, took())
	}
	t.Logf("getppid of the host: %.1f ns without a watch, %.1f ns with one (%s)", without, with, how)
	if functions && with > 1.1*without {
		t.Errorf("%.1f ns without a watch, %.1f ns with one", without, with)
	}
}

func least(into *float64, n float64) {
	if *into == 0 || n < *into {
		*into = n
	}
}

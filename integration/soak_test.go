package integration

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// cycles is how many containers TestSoak starts at each door; make soak has more.
var cycles = flag.Int("cycles", 30, "how many containers TestSoak starts")

// traces are numbers of what containers leave where somebody forgets something.
type traces map[string]int

// tracesOf counts them on the host, and below the folder of hatchdog's state.
func tracesOf(t *testing.T, dir string) traces {
	t.Helper()
	n := traces{"mounts": strings.Count(read(t, "/proc/self/mountinfo"), "\n")}
	spaces := map[string]bool{}
	processes, err := os.ReadDir("/proc")
	must(t, err)
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		for _, kind := range []string{"net", "user", "mnt", "pid", "ipc"} {
			if to, err := os.Readlink("/proc/" + p.Name() + "/ns/" + kind); err == nil {
				spaces[to] = true
			}
		}
	}
	n["namespaces"] = len(spaces)
	for _, pattern := range []string{"/sys/fs/cgroup/*", "/sys/fs/cgroup/*/*", "/sys/fs/cgroup/*/*/*"} {
		found, _ := filepath.Glob(pattern + "/cgroup.procs")
		n["control groups"] += len(found)
	}
	for what, pattern := range map[string]string{"records": "state/*/*", "owners": "state/@*/*", "held for containers": "ids/*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		must(t, err)
		n[what] = len(found)
	}
	if ids, err := os.ReadFile(filepath.Join(dir, "ids/ids.json")); err == nil {
		n["ranges of ids"] = strings.Count(string(ids), "\n") - 1
	}
	return n
}

func children(t *testing.T, dir string) int {
	t.Helper()
	all, err := os.ReadDir(dir)
	must(t, err)
	return len(all)
}

// wantTraces waits until as much is there as before: engines clean up behind the
// answer that they give.
func wantTraces(t *testing.T, dir string, before traces) {
	t.Helper()
	var more []string
	for range 100 {
		now := tracesOf(t, dir)
		more = nil
		for _, what := range slices.Sorted(maps.Keys(now)) {
			if now[what] > before[what] {
				more = append(more, fmt.Sprintf("%d %s, and %d before", now[what], what, before[what]))
			}
		}
		if len(more) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	ids, _ := os.ReadFile(filepath.Join(dir, "ids/ids.json"))
	t.Errorf("%s\n%s", strings.Join(more, "; "), ids)
}

// Containers that come and go leave nothing: called as an engine calls, half of
// them with a process more, some of them killed before they start.
func TestSoak(t *testing.T) {
	c := newCaller(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, others: admit, userns: {mode: required}}}\n")
	var bundles [2]string // two containers live at once, and have control groups of their own
	for i := range bundles {
		bundles[i] = sleepingBundle(t)
	}
	process := c.process(t)
	c.cycle(t, bundles[0], process, 0)
	before := tracesOf(t, c.dir)
	var both sync.WaitGroup
	for worker, bundle := range bundles {
		both.Go(func() {
			for i := worker; i < *cycles && !t.Failed(); i += 2 {
				c.cycle(t, bundle, process, i+1)
			}
		})
	}
	both.Wait()
	wantTraces(t, c.dir, before)
	if size := sizeBelow(t, filepath.Join(c.dir, "log")); size > 6*(16<<20) {
		t.Errorf("the audit log has %d bytes: more than rotation keeps", size)
	}
}

// cycle is the life of one container. It may run beside others, and so fails
// without ending its goroutine.
func (c *caller) cycle(t *testing.T, bundle, process string, n int) {
	t.Helper()
	id := fmt.Sprintf("soak-%d", n)
	calls := [][]string{{"create", "--bundle", bundle, id}, {"start", id}, {"exec", "--process", process, id}, {"kill", id, "KILL"}}
	switch n % 4 {
	case 1:
		calls = slices.Delete(calls, 2, 3) // no process more
	case 3:
		calls = slices.Delete(calls, 1, 3) // never started
	}
	for _, args := range append(calls, []string{"delete", "--force", id}) {
		if err := c.call(id, args...); err != nil {
			t.Error(err)
			return
		}
	}
}

func sizeBelow(t *testing.T, dir string) int64 {
	t.Helper()
	var size int64
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range all {
		info, err := e.Info()
		must(t, err)
		size += info.Size()
	}
	return size
}

// Another create may sweep the record of a container as soon as the low-level
// runtime knows it no more: its ids are given back all the same.
func TestDeleteBesideASweep(t *testing.T) {
	c := newCaller(t, "profile: p\nprofiles: {p: {extends: builtin/restricted, userns: {mode: required}}}\n")
	runtime := filepath.Join(c.dir, "runc")
	must(t, os.WriteFile(runtime, []byte(fmt.Sprintf("#!/bin/busybox sh\n%[1]s \"$@\"\ncode=$?\ncase \" $* \" in *\" delete \"*) /bin/busybox rm -rf %[2]s/state/*/swept ;; esac\nexit $code\n", pinnedRunc(t), c.dir)), 0o755))
	policy := strings.Replace(read(t, c.policy), "runtime: {path: "+pinnedRunc(t), "runtime: {path: "+runtime, 1)
	must(t, os.WriteFile(c.policy, []byte(policy), 0o600))
	bundle := sleepingBundle(t)
	for _, args := range [][]string{{"create", "--bundle", bundle, "swept"}, {"delete", "--force", "swept"}} {
		must(t, c.call("swept", args...))
		if ids := read(t, filepath.Join(c.dir, "ids/ids.json")); strings.Contains(ids, "swept") != (args[0] == "create") {
			t.Errorf("after %s: %s", args[0], ids)
		}
	}
}

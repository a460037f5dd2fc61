package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// small is a profile whose ceilings a test can hit. It has no user namespace, whose limit
// of processes by user would be met first.
const small = `profile: small
profiles:
  small: {extends: builtin/restricted, because: a test, userns: {mode: off}, memory: {max: 64MiB}, pids: {max: 20}, cpu: {max: 0.5}}
`

// withPolicy replaces the daemon's policy for one test.
func (d *docker) withPolicy(t *testing.T, runtime, extra string) {
	t.Helper()
	path := d.dir + "/policy.yaml"
	before, err := os.ReadFile(path)
	must(t, err)
	text := string(before) + extra
	if runtime != "" {
		text = strings.Replace(text, "runtime: {path: "+pinnedRunc(t)+"}", "runtime: "+runtime, 1)
	}
	must(t, os.WriteFile(path, []byte(text), 0o600))
	t.Cleanup(func() { must(t, os.WriteFile(path, before, 0o600)) })
}

// group is a container's control group of version 2, wherever the cgroup driver
// put it.
func group(t *testing.T, id string) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup/docker/" + id, "/sys/fs/cgroup/system.slice/docker-" + id + ".scope"} {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	t.Fatalf("no control group of container %s", id)
	return ""
}

// wantFiles asserts what files of a control group hold.
func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for file, value := range want {
		data, err := os.ReadFile(filepath.Join(dir, file))
		must(t, err)
		if got := strings.TrimSpace(string(data)); got != value {
			t.Errorf("%s is %q, want %q", file, got, value)
		}
	}
}

// counter reads a line "KEY NUMBER" of a file.
func counter(t *testing.T, file, key string) int {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == key {
			n, err := strconv.Atoi(f[1])
			must(t, err)
			return n
		}
	}
	t.Fatalf("no %s in %s", key, file)
	return 0
}

func TestCgroup2Driver(t *testing.T) {
	require(t, "cgroup2")
	if hasFeature(t, "systemd") {
		t.Skip("systemd owns the groups")
	}
	eachDocker(t, cgroup2Driver)
}

func cgroup2Driver(t *testing.T, d *docker) {
	if got := d.do(t, "info", "-f", "{{.CgroupDriver}} {{.CgroupVersion}}"); got != "cgroupfs 2\n" {
		t.Errorf("docker uses %s", got)
	}
	d.withPolicy(t, "", small)
	holdsCeilings(t, d)
}

// holdsCeilings asserts, under the small profile, that the limits of Docker's request, and those of
// docker update, end at the profile's.
func holdsCeilings(t *testing.T, d *docker) {
	t.Helper()
	ceilings := map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "20", "cpu.max": "50000 100000"}
	id := d.background(t, "--net=none", "-m", "256m", "--memory-swap", "1g", "--pids-limit", "500", "--cpus", "1", "busybox", "sleep", "600")
	wantFiles(t, group(t, id), ceilings)
	d.do(t, "update", "-m", "512m", "--memory-swap", "-1", "--pids-limit", "-1", "--cpus", "1", id)
	wantFiles(t, group(t, id), ceilings)
	d.do(t, "update", "--pids-limit", "10", "--cpus", "0.2", id)
	wantFiles(t, group(t, id), map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "pids.max": "10", "cpu.max": "20000 100000"})
}

func TestCgroup2MemoryAndSwap(t *testing.T) {
	require(t, "cgroup2", "swap")
	eachDocker(t, cgroup2MemoryAndSwap)
}

func cgroup2MemoryAndSwap(t *testing.T, d *docker) {
	d.withPolicy(t, "", small)
	hitsMemory(t, d)
}

// hitsMemory lets a program under the small profile touch more than the ceiling, with a swap that would
// hold the rest.
func hitsMemory(t *testing.T, d *docker) {
	t.Helper()
	touch := []string{"dd", "if=/dev/zero", "of=/dev/null", "bs=120M", "count=1"}
	asked := []string{"--net=none", "-m", "64m", "--memory-swap", "256m", "busybox"}
	id := d.background(t, append(asked, "sleep", "600")...)
	out, code := d.try(t, append([]string{"exec", id}, touch...)...)
	// Not Docker's OOMKilled: its event races with that of the exit.
	if killed := counter(t, group(t, id)+"/memory.events", "oom_kill"); code != 137 || killed == 0 {
		t.Errorf("exit code %d, %d killed for memory\n%s", code, killed, out)
	}
	if out, code := d.try(t, append(append([]string{"run", "--rm"}, asked...), touch...)...); code != 0 {
		t.Errorf("dies without hatchdog too, the test proves nothing: %d %s", code, out)
	}
}

func TestCgroup2PidsAndCPU(t *testing.T) {
	require(t, "cgroup2")
	eachDocker(t, cgroup2PidsAndCPU)
}

func cgroup2PidsAndCPU(t *testing.T, d *docker) {
	d.withPolicy(t, "", small)
	id := d.background(t, "--net=none", "busybox", "sleep", "600")
	dir := group(t, id)
	out, code := d.try(t, "exec", id, "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do sleep 60 & done; echo forked all")
	if code == 0 || !strings.Contains(out, "can't fork") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if counter(t, dir+"/pids.events", "max") == 0 {
		t.Error("the ceiling of processes was not hit")
	}
	d.do(t, "restart", "-t", "0", id)
	dir = group(t, id)
	d.do(t, "exec", "-d", id, "sh", "-c", "while :; do :; done")
	waitFor(t, "the loop", func() bool { return counter(t, dir+"/cpu.stat", "nr_throttled") > 0 })
	before, began := counter(t, dir+"/cpu.stat", "usage_usec"), time.Now()
	time.Sleep(4 * time.Second)
	used, passed := counter(t, dir+"/cpu.stat", "usage_usec")-before, time.Since(began).Microseconds()
	if share := float64(used) / float64(passed); share > 0.65 {
		t.Errorf("used %.2f of a processor", share)
	}
}

func TestCgroup2Unified(t *testing.T) {
	require(t, "cgroup2")
	d := newReal(t, "{path: "+pinnedRunc(t)+"}", small)
	dir := d.createWith(t, map[string]string{
		"memory.max": "max", "memory.high": "1000000000", "memory.swap.max": "max", "pids.max": "max", "cpu.max": "max 50000", "cpu.weight": "50",
	})
	wantFiles(t, dir, map[string]string{
		"memory.max": "67108864", "memory.high": "67108864", "memory.swap.max": "0", "pids.max": "20", "cpu.max": "25000 50000", "cpu.weight": "50",
	})
	file := d.dir + "/resources.json"
	must(t, os.WriteFile(file, []byte(`{"unified":{"pids.max":"max","memory.max":"max","cpu.max":"max"}}`), 0o600))
	if out, code := d.call(t, nil, "update", "--resources", file, "c1"); code != 0 {
		t.Errorf("update: exit code %d\n%s", code, out)
	}
	wantFiles(t, dir, map[string]string{"memory.max": "67108864", "pids.max": "20", "cpu.max": "50000 100000"})

	for _, key := range []string{"cgroup.max.depth", "cgroup.subtree_control", "../pids.max"} {
		other := newReal(t, "{path: "+pinnedRunc(t)+"}", small)
		editDocument(t, other.bundle, func(s spec) { s.resources()["unified"] = map[string]string{key: "1"} })
		out, code := other.create(t)
		if code == 0 || !strings.Contains(out, "linux.resources.unified["+key+"]") {
			t.Errorf("%s: exit code %d\n%s", key, code, out)
		}
	}
}

// createWith creates c1 with these keys of unified and returns its group.
func (d *direct) createWith(t *testing.T, unified map[string]string) string {
	t.Helper()
	var path string
	editDocument(t, d.bundle, func(s spec) {
		s.resources()["unified"] = unified
		path = fmt.Sprint(s.linux()["cgroupsPath"])
	})
	if out, code := d.create(t); code != 0 {
		t.Fatalf("create: exit code %d\n%s", code, out)
	}
	return "/sys/fs/cgroup" + path
}

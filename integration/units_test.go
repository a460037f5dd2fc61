package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// unit is a shipped unit that calls the program under test.
func unit(t *testing.T, name, dir string) string {
	t.Helper()
	text, err := os.ReadFile("../deploy/systemd/" + name)
	must(t, err)
	const installed = "/usr/local/bin/hatchctl"
	if !strings.Contains(string(text), installed) {
		t.Fatalf("%s does not call %s", name, installed)
	}
	file := filepath.Join(dir, name)
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), installed, tested.hatchctl)), 0o644)) //nolint:gosec // systemd reads it
	return file
}

// systemd finds nothing wrong with a shipped unit, and says how much of the host each
// can reach: 10 is all of it. The watch and the guard need the capabilities by which
// they see and hold containers; nothing reaches them from the network.
func TestUnits(t *testing.T) {
	dir := t.TempDir()
	for name, most := range map[string]float64{
		"hatchdog-watch.service": 6.5, "hatchdog-guard.service": 7, "hatchdog-export.service": 2.5, "hatchdog-apparmor.service": 10,
	} {
		file := unit(t, name, dir)
		if out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v %s", name, err, out)
		}
		out, _ := exec.Command("systemd-analyze", "security", "--offline=true", file).CombinedOutput()
		found := regexp.MustCompile(`exposure level for \S+ ([0-9.]+)`).FindStringSubmatch(string(out))
		if found == nil {
			t.Errorf("%s: %s", name, out)
			continue
		}
		level, err := strconv.ParseFloat(found[1], 64)
		must(t, err)
		if t.Log(name, level); level > most {
			t.Errorf("%s: exposure %v, at most %v was meant", name, level, most)
		}
	}
}

// The guard is loaded before the engines start, and stays when its unit stops; the watch
// starts, does its work with what its unit leaves it, comes back when it is killed, and
// stops.
func TestSystemdUnits(t *testing.T) {
	require(t, "systemd", "bpflsm")
	d := dockers[0].start(t)
	d.setPolicy(t, "profile: held\nprofiles:\n  held: {extends: builtin/restricted, prevent: {deny: [drift], require: always}, detect: {drift: [freeze, isolate, capture]}}\n")
	for _, name := range []string{"hatchdog-watch.service", "hatchdog-guard.service"} {
		file := unit(t, name, "/run/systemd/system")
		more := file + ".d"
		must(t, os.MkdirAll(more, 0o755))                                                                                                                     //nolint:gosec // systemd reads it
		must(t, os.WriteFile(more+"/policy.conf", []byte("[Service]\nEnvironment=HATCHDOG_POLICY="+d.dir+"/policy.yaml\nReadWritePaths="+d.dir+"\n"), 0o644)) //nolint:gosec // systemd reads it
		t.Cleanup(func() {
			run(t, "systemctl", "stop", name)
			must(t, os.RemoveAll(more))
			must(t, os.Remove(file))
			run(t, "systemctl", "daemon-reload")
		})
	}
	mustRun(t, "systemctl", "daemon-reload")
	wantLines(t, mustRun(t, "systemctl", "show", "--property=Before", "hatchdog-guard"), "docker.service", "containerd.service")
	wantLines(t, mustRun(t, "systemctl", "show", "--property=After", "hatchdog-guard"), "sys-fs-bpf.mount")
	status := func() string {
		out, _ := exec.Command("env", "HATCHDOG_POLICY="+d.dir+"/policy.yaml", tested.hatchctl, "guard", "status").Output()
		return string(out)
	}
	// The watch, where there is no guard.
	mustRun(t, "systemctl", "start", "hatchdog-watch")
	waitFor(t, "the watch", func() bool { return strings.Contains(status(), "hatchctl watch runs") })
	id := d.background(t, "busybox", "sh", "-c", "cp /bin/busybox /tmp/true; echo up; sleep 1; /tmp/true; echo code $?; exec sleep 600")
	journal := func() string {
		out, _ := exec.Command("journalctl", "-u", "hatchdog-watch", "-o", "cat").Output()
		return string(out)
	}
	waitFor(t, "its answers", func() bool { return strings.Contains(journal(), "SHA-256") })
	said := journal()
	wantLines(t, said, `"kind":"`+string(watch.Drift)+`"`, "was refused", "all of its processes are frozen", "it is cut off the network")
	// Kernels before 6.14 lack one tracepoint; the unit is to take nothing besides.
	for _, bad := range []string{"failed", "fanotify: ", "off: calls", "off: drift", "off: holding", "not held", "not watched"} {
		if strings.Contains(said, bad) {
			t.Errorf("%s: %s", bad, said)
		}
	}
	d.do(t, "rm", "-f", id)
	mustRun(t, "systemctl", "kill", "-s", "KILL", "--kill-who=main", "hatchdog-watch")
	waitFor(t, "the next watch", func() bool {
		return strings.Count(journal(), "are watched") == 2 && strings.Contains(status(), "hatchctl watch runs")
	})
	// The guard.
	mustRun(t, "systemctl", "start", "hatchdog-guard")
	wantLines(t, status(), "loaded; it holds 0 containers")
	mustRun(t, "systemctl", "stop", "hatchdog-guard")
	wantLines(t, status(), "loaded; it holds 0 containers")
	id = d.background(t, "busybox", "sleep", "600")
	wantLines(t, status(), "loaded; it holds 1 containers")
	mustRun(t, "systemctl", "reload-or-restart", "hatchdog-guard")
	wantLines(t, status(), "loaded; it holds 1 containers")
	mustRun(t, "systemctl", "stop", "hatchdog-watch")
	wantLines(t, status(), "hatchctl watch does not run")
	d.do(t, "rm", "-f", id)
	mustRun(t, tested.hatchctl, "guard", "unload")
}

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// heldBy is a profile that denies drift.
func heldBy(require, more string) string {
	return "profile: held\nprofiles:\n  held: {extends: builtin/restricted, prevent: {deny: [drift], require: " + require + "}" + more + "}\n"
}

// tries runs what the image does not hold, in each place where a container can write, as
// the first things that it does.
const tries = `for d in /tmp /data /dev/shm; do cp /bin/busybox $d/true; if $d/true; then echo "RAN $d"; else echo "REFUSED $d"; fi; done; ` +
	`echo '#!/bin/sh' >/tmp/script; chmod 755 /tmp/script; if /tmp/script; then echo RAN script; else echo REFUSED script; fi; ` +
	`if /shared/before true; then echo RAN before; fi; chmod 755 /bin/busybox; `

// without the kernel's guard the watch holds containers to drift, from their start on.
func TestWatchHoldsToDrift(t *testing.T) { eachDocker(t, watchHoldsToDrift) }

func watchHoldsToDrift(t *testing.T, d *docker) {
	shared, err := os.MkdirTemp("/var/tmp", "")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(shared)) })
	must(t, os.Chmod(shared, 0o755)) //nolint:gosec // containers read it
	mustRun(t, "cp", filepath.Join(tested.dir, "bin", "prevented"), filepath.Join(shared, "before"))
	asked := []string{"--init", "-v", "/data", "--tmpfs", "/dev/shm:exec", "-v", shared + ":/shared:ro"}

	d.setPolicy(t, heldBy("always", ""))
	out, code := d.run(t, "busybox", "true")
	if code == 0 {
		t.Error("it started, and neither the guard nor the watch is there")
	}
	wantLines(t, out, "the kernel's guard is not loaded", "run hatchctl watch")

	d.setPolicy(t, heldBy("ifAvailable", ""))
	out, _ = d.run(t, append(asked, "busybox", "sh", "-c", tries)...)
	wantLines(t, out, "RAN /tmp", "RAN /data", "RAN /dev/shm", "RAN script", "RAN before")

	d.setPolicy(t, heldBy("always", ""))
	w := startWatch(t, d.dir+"/policy.yaml")
	for range 5 {
		out, _ = d.run(t, append(asked, "busybox", "sh", "-c", tries)...)
		wantLines(t, out, "REFUSED /tmp", "REFUSED /data", "REFUSED /dev/shm", "REFUSED script", "RAN before")
	}
	if a := w.want(t, watch.Drift, "/true was refused, which the image does not hold"); a.Process == nil || a.Container["engine"] != "docker" {
		t.Errorf("%+v", a)
	}
	watchHoldsOn(t, d, w, shared, d.background(t, append(asked, "busybox", "sh", "-c", "cp /bin/busybox /tmp/true; echo up; exec sleep 600")...))
}

func watchHoldsOn(t *testing.T, d *docker, w *watching, shared, id string) {
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	runs := func(what ...string) bool {
		_, code := d.try(t, append([]string{"exec", id}, what...)...)
		return code == 0
	}
	status := func() string {
		out, _ := exec.Command("env", "HATCHDOG_POLICY="+d.dir+"/policy.yaml", tested.hatchctl, "guard", "status").Output()
		return string(out)
	}
	mustRun(t, "cp", filepath.Join(shared, "before"), filepath.Join(shared, "after"))
	if runs("/tmp/true") || !runs("/bin/true") || !runs("/shared/before", "none") || runs("/shared/after", "none") {
		t.Errorf("layer %v, image %v, before %v, after %v", runs("/tmp/true"), runs("/bin/true"), runs("/shared/before", "none"), runs("/shared/after", "none"))
	}
	wantLines(t, status(), "the kernel's guard is not loaded", "it holds 1 containers to drift, until it ends")
	said, _ := d.hatchctl(t, "explain", "--wide", id[:12])
	wantLines(t, said, "drift is denied by hatchctl watch, a process, and only while that runs")
	said, _ = d.hatchctl(t, "why", id[:12], "/tmp/true", "--for", "execute")
	wantLines(t, said, "hatchctl watch, while it runs, denies running")
	// What was written before is the layer's after a restart too.
	d.do(t, "restart", "-t", "0", id)
	waitFor(t, "its log", func() bool { return strings.Count(d.do(t, "logs", id), "up") == 2 })
	if runs("/tmp/true") || !runs("/bin/true") {
		t.Error("after a restart")
	}
	// What waits for a watch that ends, however it ends, is let be.
	must(t, w.cmd.Process.Signal(syscall.SIGSTOP))
	done := make(chan bool, 1)
	go func() { done <- runs("/tmp/true") }()
	select {
	case <-done:
		t.Error("nothing waits for a watch that stands still")
	case <-time.After(2 * time.Second):
	}
	w.stop(syscall.SIGKILL)
	select {
	case ran := <-done:
		if !ran {
			t.Error("it was refused by a watch that is dead")
		}
	case <-time.After(20 * time.Second):
		t.Error("a watch that was killed holds programs up")
	}
	if !runs("/tmp/true") {
		t.Error("it is refused without a watch")
	}
	wantLines(t, status(), "hatchctl watch does not run")
	startWatch(t, d.dir+"/policy.yaml")
	waitFor(t, "the next watch to hold it", func() bool { return !runs("/tmp/true") })
}

// Processes of a hostile container wait by the thousand: each is answered, another
// container is not held up, and the watch freezes the first meanwhile.
func TestWatchHoldsFloods(t *testing.T) {
	d := dockers[0].start(t)
	d.setPolicy(t, heldBy("always", ", pids: {max: 4000}, detect: {drift: [freeze, capture]}"))
	w := startWatch(t, d.dir+"/policy.yaml")
	flood := d.background(t, "--pids-limit", "3000", "busybox", "sh", "-c",
		`cp /bin/busybox /tmp/true; cd /tmp; i=0; while [ ! -e go ]; do sleep 0.1; done; while :; do i=$((i+1)); ./true & [ $((i % 1000)) = 0 ] && wait; done`)
	other := d.background(t, "busybox", "sleep", "600")
	must(t, w.cmd.Process.Signal(syscall.SIGSTOP))
	go func() { _, _ = d.try(t, "exec", flood, "sh", "-c", "echo > /tmp/go") }()
	time.Sleep(8 * time.Second)
	must(t, w.cmd.Process.Signal(syscall.SIGCONT))
	began := time.Now()
	wantLines(t, d.do(t, "exec", other, "echo", "IN"), "IN")
	t.Log("the other container's program took", time.Since(began))
	a := w.want(t, watch.Drift, "was refused")
	if a.ID != flood || fmt.Sprint(a.Answers) == "[]" {
		t.Errorf("%+v", a)
	}
	for _, one := range a.Answers {
		t.Logf("%+v", one)
		if strings.Contains(one.Result, "failed") {
			t.Errorf("%+v", one)
		}
	}
	waitFor(t, "its capture", func() bool {
		for _, a := range w.of(watch.Drift) {
			for _, one := range a.Answers {
				if strings.Contains(one.Result, "SHA-256") {
					return true
				}
			}
		}
		return false
	})
	d.do(t, "rm", "-f", flood)
}

// In a user namespace the container's root is an overlay of hatchdog's own.
func TestWatchHoldsInUserNamespaces(t *testing.T) {
	d := dockers[0].start(t)
	d.setPolicy(t, heldBy("always", ", userns: {mode: required}"))
	startWatch(t, d.dir+"/policy.yaml")
	id := d.background(t, "busybox", "sh", "-c", "cp /bin/busybox /tmp/true; /tmp/true && echo RAN; echo up; exec sleep 600")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	d.do(t, "restart", "-t", "0", id)
	waitFor(t, "its log", func() bool { return strings.Count(d.do(t, "logs", id), "up") == 2 })
	if out := d.do(t, "logs", id); strings.Contains(out, "RAN") {
		t.Error(out)
	}
	wantLines(t, d.do(t, "exec", id, "cat", "/proc/self/uid_map"), " 65536")
	if out, code := d.try(t, "exec", id, "/tmp/true"); code == 0 {
		t.Errorf("what was copied ran: %s", out)
	}
}

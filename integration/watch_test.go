package integration

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/watch"
)

// watching is a `hatchctl watch` that runs.
type watching struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	alerts []watch.Alert
	errs   string
	ended  chan struct{}
}

// watch starts one, and returns when it watches.
func startWatch(t *testing.T, policy string, args ...string) *watching {
	t.Helper()
	w := &watching{ended: make(chan struct{})}
	w.cmd = exec.Command("env", append([]string{"HATCHDOG_POLICY=" + policy, tested.hatchctl, "watch", "--json"}, args...)...)
	out, err := w.cmd.StdoutPipe()
	must(t, err)
	errs, err := w.cmd.StderrPipe()
	must(t, err)
	must(t, w.cmd.Start())
	go func() {
		for s := bufio.NewScanner(errs); s.Scan(); {
			w.mu.Lock()
			w.errs += s.Text() + "\n"
			w.mu.Unlock()
		}
	}()
	go func() {
		defer close(w.ended)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			var a watch.Alert
			if err := json.Unmarshal(s.Bytes(), &a); err != nil {
				t.Errorf("%q: %v", s.Text(), err)
				continue
			}
			w.mu.Lock()
			w.alerts = append(w.alerts, a)
			w.mu.Unlock()
		}
	}()
	t.Cleanup(func() { w.stop(syscall.SIGTERM) })
	waitFor(t, "the watch to begin", func() bool { return strings.Contains(w.said(), "are watched") })
	return w
}

func (w *watching) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.errs
}

func (w *watching) stop(s os.Signal) {
	if w.cmd.ProcessState == nil {
		_ = w.cmd.Process.Signal(s)
		<-w.ended
		_ = w.cmd.Wait()
	}
}

func (w *watching) of(kind watch.Kind) []watch.Alert {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []watch.Alert
	for _, a := range w.alerts {
		if a.Kind == kind {
			all = append(all, a)
		}
	}
	return all
}

// want waits for an alert of a kind that says something.
func (w *watching) want(t *testing.T, kind watch.Kind, what string) watch.Alert {
	t.Helper()
	var got watch.Alert
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		for _, a := range w.of(kind) {
			if strings.Contains(a.What, what) {
				return a
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Errorf("no alert of %s says %q: %+v\n%s", kind, what, w.alerts, w.errs)
	return got
}

// none fails for an alert that nobody expects.
func (w *watching) none(t *testing.T, when string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.alerts {
		if a.Kind != watch.Blind {
			t.Errorf("%s: %+v %+v %s", when, a, a.Process, w.errs)
		}
	}
}

func watchedBox(name, policy string) box {
	return box{
		name: name, policy: policy,
		files: func(t *testing.T, root, vol string) {
			must(t, os.Chmod(vol, 0o777))
			must(t, os.MkdirAll(root+"/work", 0o777))
			must(t, os.Chmod(root+"/work", 0o777))
			must(t, os.WriteFile(vol+"/busybox", []byte(read(t, "/bin/busybox")), 0o755))
			must(t, os.Symlink("busybox", root+"/bin/true"))
			must(t, os.Symlink("busybox", root+"/bin/cp"))
		},
		edit: func(_ *testing.T, s *specs.Spec, vol string) {
			s.Mounts = append(s.Mounts, bind(vol, "/vol", "rw"), specs.Mount{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"mode=1777"}})
			s.Process.Args = []string{"/bin/sh", "-c", "while :; do sleep 600; done"}
		},
	}
}

// A program is told of that the image does not hold, wherever it is from, once; one
// of the image is not.
func TestWatchTellsOfDrift(t *testing.T) {
	m := watchedBox("drifts", "profile: restricted\n").make(t)
	t.Cleanup(func() { m.stop(t) })
	w := startWatch(t, m.dir+"/policy.yaml")
	m.start(t)
	for range 3 {
		m.exec(t, "true; ls /; cat /etc/passwd; ping -c1 127.0.0.1; sh -c 'id'")
	}
	time.Sleep(3 * time.Second)
	w.none(t, "programs of the image")
	for _, c := range []struct{ command, says string }{
		{"cp /bin/busybox /work/true && for i in 1 2 3 4 5; do /work/true true; done", "/work/true was executed"},
		{"cp /bin/busybox /dev/shm/true && /dev/shm/true true", "in memory at /dev/shm"},
		{"cp /bin/busybox /vol/true && /vol/true true", "volume at /vol, and was changed after the container began"},
		{"/vol/busybox true", "it is on the volume at /vol"},
	} {
		if out, code := m.exec(t, c.command); code != 0 {
			t.Errorf("%s: %s", c.command, out)
		}
		a := w.want(t, watch.Drift, c.says)
		if a.ID != m.name || a.Process == nil || a.Severity == "" || a.Technique != "T1105" || len(a.Process.Ancestry) == 0 {
			t.Errorf("%+v %+v", a, a.Process)
		}
	}
	if n := len(w.of(watch.Drift)); n != 4 {
		t.Errorf("%d alerts for four programs", n)
	}
	wantLines(t, read(t, m.dir+"/log/audit.jsonl"), `"event":"alert"`)
	m.mustCtl(t, "audit", "verify")
}

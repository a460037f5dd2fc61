package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/watch"
)

func detecting(rules string) string {
	return "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, detect: {" + rules + "}}\n"
}

func (m *made) frozen(t *testing.T) bool {
	t.Helper()
	if hasFeature(t, "cgroup2") {
		return strings.Contains(read(t, m.group()+"/cgroup.events"), "frozen 1")
	}
	return strings.TrimSpace(read(t, m.group()+"/freezer.state")) == "FROZEN"
}

// group is the control group by which it is frozen.
func (m *made) group() string {
	name := "hatchdog-why-" + m.name
	const first = "/sys/fs/cgroup/freezer"
	if _, err := os.Stat(first); err == nil {
		return first + "/" + name
	}
	return "/sys/fs/cgroup/" + name
}

// Between the event and the freeze there are milliseconds. The figure of
// docs/watch.md is what this prints.
func TestWatchFreezes(t *testing.T) {
	const times = 9
	m := watchedBox("freezes", detecting("drift: [freeze]")).make(t)
	t.Cleanup(func() { m.ctl(t, "thaw", m.name); m.stop(t) })
	m.start(t)
	startWatch(t, m.dir+"/policy.yaml")
	for i := range times {
		m.mustCtl(t, "thaw", m.name)
		time.Sleep(1100 * time.Millisecond) // the same answer is not given twice within a second
		file := fmt.Sprintf("/work/%d", i)
		m.exec(t, "mkdir "+file+" && cp /bin/busybox "+file+"/sleep")
		cmd := exec.Command(tested.hatchdog, "--root", m.dir+"/root", "exec", "-d", m.name, file+"/sleep", "600")
		cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+m.dir+"/policy.yaml")
		must(t, cmd.Run())
		waitFor(t, "the container to be frozen", func() bool { return m.frozen(t) })
	}
	var took []float64
	waitFor(t, "each answer to be logged", func() bool { took = answersOf(t, m, policy.AnswerFreeze); return len(took) >= times })
	if len(took) != times {
		t.Fatalf("%d answers: %v", len(took), took)
	}
	slices.Sort(took)
	t.Logf("from the event to the freeze: median %.1f ms, least %.1f, most %.1f, of %d", took[times/2], took[0], took[times-1], times)
}

// answersOf are the times of answers in the audit log, in milliseconds.
func answersOf(t *testing.T, m *made, answer policy.Answer) []float64 {
	t.Helper()
	var all []float64
	for line := range strings.Lines(read(t, m.dir+"/log/audit.jsonl")) {
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		var l struct{ Event watch.Alert }
		must(t, json.Unmarshal([]byte(line), &l))
		for _, a := range l.Event.Answers {
			if a.Answer == answer {
				if strings.Contains(a.Result, "failed") {
					t.Errorf("%+v", a)
				}
				all = append(all, a.After)
			}
		}
	}
	return all
}

func TestWatchKillsAndCaptures(t *testing.T) {
	m := watchedBox("kills", detecting("drift: [capture, kill]")).make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	w := startWatch(t, m.dir+"/policy.yaml")
	m.exec(t, "cp /bin/busybox /work/sleep && /work/sleep 600")
	w.want(t, watch.Drift, "/work/sleep")
	waitFor(t, "the capture", func() bool { return len(answersOf(t, m, policy.AnswerCapture)) > 1 })
	files, err := filepath.Glob(m.dir + "/log/captures/*.tar")
	must(t, err)
	if len(files) != 1 || !strings.Contains(mustRun(t, "tar", "-xOf", files[0], "processes.json"), "/work/sleep") {
		t.Errorf("the capture does not have the program: %v", files)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	waitFor(t, "all processes to end", func() bool {
		return strings.TrimSpace(read(t, m.group()+"/cgroup.procs")) == ""
	})
}

// A process of the container that has what is the host's is told of, and answered,
// whether it was seen when it began or was there before.
func TestWatchTellsOfAnEscape(t *testing.T) {
	for _, before := range []bool{false, true} {
		name := fmt.Sprintf("escapes%v", before)
		m := watchedBox(name, detecting("escape: [freeze]")).make(t)
		t.Cleanup(func() { m.ctl(t, "thaw", m.name); m.stop(t) })
		m.start(t)
		var w *watching
		if !before {
			w = startWatch(t, m.dir+"/policy.yaml")
		}
		out := exec.Command("nsenter", "--target", m.first(t), "--pid", "sleep", "600") // the host's root and mounts
		must(t, out.Start())
		t.Cleanup(func() { _ = out.Process.Kill(); _ = out.Wait() })
		if before {
			time.Sleep(200 * time.Millisecond)
			w = startWatch(t, m.dir+"/policy.yaml")
		}
		a := w.want(t, watch.Escape, "and its container has one of its own")
		if a.Severity != watch.Critical || a.Technique != "T1611" || (a.Source == watch.FromExec) == before {
			t.Errorf("%+v", a)
		}
		waitFor(t, "the container to be frozen", func() bool { return m.frozen(t) })
	}
}

// first is the first process of the container.
func (m *made) first(t *testing.T) string {
	t.Helper()
	words := strings.Fields(read(t, m.group()+"/cgroup.procs"))
	if len(words) == 0 {
		t.Fatal("it has no process")
	}
	return words[0]
}

// Whoever asks for the cloud's metadata, which the profile does not let through, is
// cut off.
func TestWatchIsolatesWhoAsksForMetadata(t *testing.T) {
	startOutside(t)
	b := watchedBox("asks", detecting("metadata: isolate"))
	edit := b.edit
	b.edit = func(t *testing.T, s *specs.Spec, vol string) {
		edit(t, s, vol)
		joinNetwork(s, bare(t, "hd-asks"))
	}
	m := b.make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	w := startWatch(t, m.dir+"/policy.yaml")
	reaches := func() bool {
		_, code := m.exec(t, "echo x | nc -w1 "+outsideAddr+" 80 | grep -q x")
		return code == 0
	}
	if !reaches() {
		t.Fatal("the outside is not reached")
	}
	time.Sleep(3 * time.Second)
	w.none(t, "a connection that is let through")
	m.exec(t, "nc -w1 "+metadataAddr+" 80 </dev/null")
	a := w.want(t, watch.Metadata, metadataAddr)
	if a.Source != watch.FromRules || a.Technique != "T1552.005" || len(a.Answers) != 1 || a.Answers[0].Result != "it is cut off the network" {
		t.Errorf("%+v", a)
	}
	waitFor(t, "it to be cut off", func() bool { return !reaches() })
}

// A watch that was killed finds all containers again, says since when it saw
// nothing, and is alone.
func TestWatchBeginsAgain(t *testing.T) {
	m := watchedBox("again", "profile: restricted\n").make(t)
	t.Cleanup(func() { m.stop(t) })
	w := startWatch(t, m.dir+"/policy.yaml")
	m.start(t)
	if out, code := m.ctl(t, "watch"); code != 3 || !strings.Contains(out, "another watch runs") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	w.cmd.Process.Signal(syscall.SIGKILL)
	w.stop(syscall.SIGKILL)
	m.exec(t, "cp /bin/busybox /work/true && /work/true")
	w = startWatch(t, m.dir+"/policy.yaml")
	wantLines(t, w.said(), "hatchctl: 1 containers are watched")
	w.want(t, watch.Blind, "1 containers run that were not seen meanwhile")
	m.exec(t, "/work/true")
	w.want(t, watch.Drift, "/work/true")
}

// A process of a container that writes to hatchdog's own files is told of; root of the
// host, who does the same, is not.
func TestWatchTellsOfChangedFiles(t *testing.T) {
	m := watchedBox("changes", "profile: restricted\n").make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	w := startWatch(t, m.dir+"/policy.yaml")
	wantLines(t, w.said(), "fanotify")
	f, err := os.OpenFile(m.dir+"/policy.yaml", os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("# root's\n")
	must(t, errors.Join(err, f.Close()))
	time.Sleep(time.Second)
	w.none(t, "root of the host")
	for _, file := range []string{m.dir + "/policy.yaml", m.dir + "/root/" + m.name + "/state.json"} {
		mustRun(t, "nsenter", "--target", m.first(t), "--pid", "sh", "-c", "echo >>"+file+"; sleep 1")
		if a := w.want(t, watch.Files, file); a.Severity != watch.Critical {
			t.Errorf("%+v", a)
		}
	}
}

// A capability that is used and that the container was not given is told of, by
// whatever way a process came to it.
func TestWatchTellsOfACapability(t *testing.T) {
	m := watchedBox("capable", "profile: restricted\n").make(t)
	t.Cleanup(func() { m.stop(t) })
	m.start(t)
	w := startWatch(t, m.dir+"/policy.yaml")
	m.exec(t, "chown 1 /work; chroot / true; hostname x") // asked for, and refused
	time.Sleep(3 * time.Second)
	w.none(t, "capabilities that it has, or is refused")
	run(t, "nsenter", "--target", m.first(t), "--pid", "--user", "--mount", "--root", "--wd", "/bin/chroot", "/", "/bin/true")
	w.want(t, watch.Capability, "used CAP_SYS_CHROOT")
}

// Names that a container chose neither break a line nor hide in one, and what it
// makes too much of keeps nothing of others out.
func TestWatchUnderAttack(t *testing.T) {
	noisy := watchedBox("noisy", "profile: restricted\n").make(t)
	t.Cleanup(func() { noisy.stop(t) })
	noisy.start(t)
	w := startWatch(t, noisy.dir+"/policy.yaml")
	noisy.exec(t, `d=$(printf '/work/x\n{"kind":"escape"}\033[31m\342\200\256y'); mkdir "$d"; cp /bin/busybox "$d/true"; "$d/true"`)
	a := w.want(t, watch.Drift, "was executed")
	if strings.ContainsAny(a.What, "\n\x1b\u202e") {
		t.Errorf("%q", a.What)
	}
	if n := len(w.of(watch.Escape)); n > 0 {
		t.Errorf("%d alerts that the container made up", n)
	}
	noisy.exec(t, "timeout 4 sh -c 'while :; do : >/proc/self/comm; : >/proc/self/comm; : >/proc/self/comm; done'; cp /bin/busybox /work/id; /work/id")
	w.want(t, watch.Flood, "more than are kept")
	w.want(t, watch.Drift, "/work/id")
}

package integration

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// withoutBPF are the words before a command that may load no programs into the kernel.
var withoutBPF = []string{"setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin"}

// filter is the one that hatchctl writes.
func (l *learner) filter(t *testing.T) *specs.LinuxSeccomp {
	t.Helper()
	var filter specs.LinuxSeccomp
	must(t, json.Unmarshal([]byte(l.hatchctl(t, "learn", "filter")), &filter))
	return &filter
}

// recordsByTheLog records a run in the background, by a recorder without BPF.
func (l *learner) recordsByTheLog(t *testing.T, name string) {
	t.Helper()
	id := l.container()[len(l.container())-1]
	start := append(append([]string{}, withoutBPF[1:]...), tested.hatchctl, "learn", "start", id, "--as", name, "--log")
	if out, code := l.does(t, withoutBPF[0], start...); code != 0 {
		t.Fatalf("%d %s", code, out)
	}
	t.Cleanup(func() { l.does(t, tested.hatchctl, "learn", "stop", name) })
	if out, code := l.runs(t); code != 0 || !strings.Contains(out, "fine") {
		t.Errorf("under the filter: %d %s", code, out)
	}
	l.hatchctl(t, "learn", "stop", name)
}

// Without BPF the calls and the programs are learned, by the kernel's log of calls;
// what is not seen is said, and the profile that comes of it runs the same again.
func TestLearnByTheKernelsLog(t *testing.T) {
	root := unpacked(t)
	for _, name := range []string{"python", "git", "shell and its tools"} {
		t.Run(name, func(t *testing.T) {
			l := newLearner(t, root, programs[name])
			filter := l.filter(t)
			editSpec(t, l.bundle, func(s *specs.Spec) { s.Linux.Seccomp = filter })
			clear := func() {
				if left, _ := filepath.Glob(root + "/tmp/*"); len(left) > 0 {
					mustRun(t, "rm", append([]string{"-rf"}, left...)...)
				}
			}
			defer clear()
			l.recordsByTheLog(t, "web")
			text := l.hatchctl(t, "learn", "show", "web")
			for _, want := range []string{`"openat": `, "executed ", "nothing was seen of their use", "builtin/restricted has it: which were used was not seen", "mq_open"} {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing:\n%s", want, text)
				}
			}
			if strings.Contains(text, "dropped") || strings.Contains(text, "NOT WHOLE") {
				t.Errorf("it is not whole:\n%s", text)
			}
			l.under(t, "web", text)
			editSpec(t, l.bundle, func(s *specs.Spec) { s.Linux.Seccomp = dockersFilter(t) })
			for _, when := range []string{"at first", "again"} {
				clear()
				if out, code := l.runs(t); code != 0 || !strings.Contains(out, "fine") {
					t.Errorf("%s: exit code %d\n%s\n%s", when, code, out, text)
				}
			}
		})
	}
}

// The filter for learning takes nothing from what an enforced container is held to:
// it blocks as much with it as without, under each built-in profile.
func TestTheFilterForLearningWeakensNothing(t *testing.T) {
	ruler := t.TempDir() + "/ruler"
	mustRun(t, "gcc", "-static", "-O1", "-Wall", "-Werror", "-o", ruler, "ruler/ruler.c")
	filter := newLearner(t, "", "true").filter(t)
	for _, profile := range []string{"baseline", "restricted", "untrusted"} {
		with := blockedWith(t, profile, ruler, filter)
		for _, primitive := range blockedWith(t, profile, ruler, nil) {
			if !slices.Contains(with, primitive) {
				t.Errorf("builtin/%s: %s is blocked without the filter, and not with it", profile, primitive)
			}
		}
	}
}

// A container without the filter gives no profile that looks like one.
func TestLearnByTheLogOfAContainerWithoutTheFilter(t *testing.T) {
	l := newLearner(t, "", "echo fine")
	l.recordsByTheLog(t, "web")
	if out, code := l.does(t, tested.hatchctl, "learn", "show", "web"); code == 0 || !strings.Contains(out, "learn filter") {
		t.Errorf("%d %s", code, out)
	}
	c := append(append([]string{}, withoutBPF...), append([]string{tested.hatchctl, "learn", "--as", "x", "--"}, l.container()...)...)
	if out, code := l.does(t, c[0], c[1:]...); code == 0 || !strings.Contains(out, "learn --log") {
		t.Errorf("the way without BPF is not named: %d %s", code, out)
	}
}

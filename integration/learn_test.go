package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// learner runs containers with hatchctl beside them.
type learner struct{ dir, policy, bundle string }

func newLearner(t *testing.T, root, script string) *learner {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	l := &learner{dir: dir, policy: dir + "/policy.yaml", bundle: makeBundle(t, "true")}
	editSpec(t, l.bundle, func(s *specs.Spec) {
		s.Root.Readonly = false
		s.Process.Args = []string{"/bin/sh", "-ec", script}
		if root != "" {
			s.Root.Path, s.Process.Args[0] = root, "/bin/bash"
		}
		s.Process.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
		s.Linux.Seccomp = dockersFilter(t)
	})
	l.hold(t, "profile: builtin/restricted\n")
	return l
}

func (l *learner) hold(t *testing.T, extra string) {
	t.Helper()
	text := fmt.Sprintf("version: 1\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/log/audit.jsonl}\nruntime: {path: %s}\n%s", l.dir, l.dir, l.dir, pinnedRunc(t), extra)
	must(t, os.WriteFile(l.policy, []byte(text), 0o600))
}

// does runs a command with the policy, its output in a file.
func (l *learner) does(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	out, err := os.CreateTemp(l.dir, "output-")
	must(t, err)
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+l.policy)
	cmd.Stdout, cmd.Stderr = out, out
	timer := time.AfterFunc(4*time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Run()
	return read(t, out.Name()), cmd.ProcessState.ExitCode()
}

func (l *learner) hatchctl(t *testing.T, args ...string) string {
	t.Helper()
	out, code := l.does(t, tested.hatchctl, args...)
	if code != 0 {
		t.Fatalf("hatchctl %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

// container is the command that runs the container to its end.
func (l *learner) container() []string {
	return []string{tested.hatchdog, "--root", l.dir + "/root", "--log", l.dir + "/log.json", "run", "--bundle", l.bundle, "hatchdog-" + filepath.Base(filepath.Dir(l.dir)) + filepath.Base(l.dir)}
}

func (l *learner) runs(t *testing.T) (string, int) {
	t.Helper()
	c := l.container()
	return l.does(t, c[0], c[1:]...)
}

// learn records a run, and gives the profile.
func (l *learner) learn(t *testing.T, name string) string {
	t.Helper()
	l.hatchctl(t, append([]string{"learn", "--as", name, "--"}, l.container()...)...)
	text := l.hatchctl(t, "learn", "show", name)
	must(t, os.WriteFile(l.dir+"/"+name+".yaml", []byte(text), 0o600))
	l.hatchctl(t, "policy", "check", l.dir+"/"+name+".yaml")
	return text
}

// under puts the containers under the learned profile.
func (l *learner) under(t *testing.T, name, text string) {
	t.Helper()
	_, profiles, found := strings.Cut(text, "\nprofiles:\n")
	if !found {
		t.Fatalf("no profile in\n%s", text)
	}
	l.hold(t, "profile: learned-"+name+"\nprofiles:\n"+profiles)
}

// Under the profile that was learned from a run, programs do the same again, and
// then once more, and verify has nothing to tell.
func TestProgramsUnderLearnedProfiles(t *testing.T) {
	root := unpacked(t)
	for _, name := range []string{"python", "node", "java", "mariadb", "git", "shell and its tools"} {
		script := programs[name]
		t.Run(name, func(t *testing.T) {
			l := newLearner(t, root, strings.ReplaceAll(script, "$(seq 60)", "$(seq 120)"))
			clear := func() {
				if left, _ := filepath.Glob(root + "/tmp/*"); len(left) > 0 {
					mustRun(t, "rm", append([]string{"-rf"}, left...)...)
				}
			}
			defer clear()
			text := l.learn(t, "web")
			if !strings.Contains(text, "execve") || !strings.Contains(text, "executed") {
				t.Fatalf("nothing was learned:\n%s", text)
			}
			clear()
			if out, code := l.does(t, tested.hatchctl, append([]string{"learn", "verify", "web", "--"}, l.container()...)...); code != 0 {
				t.Errorf("verify: %d\n%s", code, out)
			}
			l.under(t, "web", text)
			for _, when := range []string{"at first", "again"} {
				clear()
				if out, code := l.runs(t); code != 0 || !strings.Contains(out, "fine") {
					t.Errorf("%s: exit code %d\n%s\n%s", when, code, out, text)
				}
			}
		})
	}
}

// What a learned profile blocks is at least what builtin/restricted does.
func TestLearnedProfileByTheRuler(t *testing.T) {
	ruler := t.TempDir() + "/ruler"
	mustRun(t, "gcc", "-static", "-O1", "-Wall", "-Werror", "-o", ruler, "ruler/ruler.c")
	l := newLearner(t, "", "echo x >/tmp/x; cat /tmp/x; echo fine")
	must(t, os.MkdirAll(l.bundle+"/rootfs/tmp", 0o777))
	l.under(t, "web", l.learn(t, "web"))
	blocks := func() []string {
		must(t, exec.Command("cp", ruler, l.bundle+"/rootfs/ruler").Run())
		editSpec(t, l.bundle, func(s *specs.Spec) { s.Process.Args, s.Process.NoNewPrivileges = []string{"/ruler"}, false })
		out, _ := l.runs(t)
		var all []string
		for line := range strings.Lines(out) {
			if name, what, _ := strings.Cut(strings.TrimSpace(line), " "); what == "blocked" {
				all = append(all, name)
			}
		}
		return all
	}
	learned := blocks()
	l.hold(t, "profile: builtin/restricted\n")
	restricted := blocks()
	for _, primitive := range restricted {
		if !slices.Contains(learned, primitive) {
			t.Errorf("restricted blocks %s, and the learned profile does not", primitive)
		}
	}
	t.Logf("restricted blocks %d, the learned profile %d", len(restricted), len(learned))
	if len(learned) <= len(restricted) {
		t.Errorf("it blocks no more: %d, %d", len(restricted), len(learned))
	}
}

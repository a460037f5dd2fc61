package straight

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/argv"
	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/lowlevel"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// What is read here of a command line is what internal/door acts on.
func TestCommandIsArgvs(t *testing.T) {
	taken := 0
	word := rapid.SampledFrom([]string{
		"--root", "--root=/r/b", "/r/a", "--log", "--log=/l", "--log-format", "json", "--systemd-cgroup", "--systemd-cgroup=false", "--debug", "-root", "--",
		"state", "kill", "delete", "exec", "c1", "c1", "..", "a/b", "9", "KILL", "--all", "-a", "--all=true", "-9", "", "-", "--rootless", "true",
	})
	rapid.Check(t, func(t *rapid.T) {
		args := append([]string{"hatchdog"}, rapid.SliceOfN(word, 0, 4).Draw(t, "before")...)
		if rapid.Bool().Draw(t, "usual") {
			if rapid.Bool().Draw(t, "alone") {
				args = args[:1]
			}
			args = append(args, "--root", "/r/a", "--log", "/l", rapid.SampledFrom([]string{"state", "kill"}).Draw(t, "verb"), "c1")
		}
		args = append(args, rapid.SliceOfN(word, 0, 3).Draw(t, "behind")...)
		root, id, ok := command(args)
		if !ok {
			return
		}
		taken++
		call, err := argv.Parse(args, func() bool { return false }, func(string) string { return "" })
		if err != nil || call.Door != argv.None || call.ID != id || root != "" && call.Global.Root != root || decision.CheckID(id) != nil || call.Verb != "state" && call.Verb != "kill" {
			t.Fatalf("%q: %q %q, and %+v %v", args, root, id, call, err)
		}
	})
	if taken == 0 {
		t.Error("no command line is taken")
	}
}

func TestCommandsOfEngines(t *testing.T) {
	for _, args := range [][]string{
		{"--root", "/r", "--log", "/l", "--log-format", "json", "state", "c1"},
		{"--root", "/r", "--log", "/l", "--log-format", "json", "--systemd-cgroup", "kill", "--all", "c1", "9"},
		{"--root=/r", "--systemd-cgroup", "kill", "c1", "TERM"},
	} {
		if root, id, ok := command(append([]string{"hatchdog"}, args...)); root != "/r" || id != "c1" || !ok {
			t.Errorf("%q: %q %q %v", args, root, id, ok)
		}
	}
}

func TestEnvironIsLowlevels(t *testing.T) {
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/crun", "/opt/crun-1.28", "runc"} {
		for _, env := range [][]string{nil, {"A=1"}, {"A=1", "GOMAXPROCS=2"}} {
			if got, want := environ(path, slices.Clone(env)), lowlevel.Environ(path, env); !slices.Equal(got, want) {
				t.Errorf("%s %q: %q, not %q", path, env, got, want)
			}
		}
	}
}

func TestPlacesArePolicys(t *testing.T) {
	if systemFile != policy.SystemFile || systemDir != policy.SystemDir || defaultState != policy.DefaultStateDir(0, os.Getenv) {
		t.Error(systemFile, systemDir, defaultState)
	}
}

// scene is a container that has been created.
type scene struct {
	root, base, policy string
	store              decision.Store
	dir                string // of the record
}

const runtimePath = "/usr/local/sbin/some-runc"

func newScene(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{root: filepath.Join(dir, "root"), base: filepath.Join(dir, "state"), policy: filepath.Join(dir, "policy.yaml")}
	s.store = decision.Store{Base: s.base}
	claim, err := s.store.Claim(s.root, "c1")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = claim.Dir()
	must(t, os.Mkdir(s.root, 0o700), os.Symlink(runtimePath, filepath.Join(s.dir, "runtime")), os.WriteFile(s.policy, []byte("version: 1\nstateDir: "+s.base+"\n"), 0o600))
	return s
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (s *scene) runtime() (string, bool) {
	return runtimeOf([]string{"hatchdog", "--root", s.root, "state", "c1"}, func(name string) string { return map[string]string{"HATCHDOG_POLICY": s.policy}[name] })
}

func TestRuntimeOfIsTheRecords(t *testing.T) {
	if !isRoot() {
		return // nobody else is handed on here
	}
	s := newScene(t)
	want, err := s.store.Runtime(s.root, "c1")
	if got, ok := s.runtime(); err != nil || got != want || got != runtimePath || !ok {
		t.Errorf("%q %v, not %q %v", got, ok, want, err)
	}
}

// Whatever is not as it should be is internal/door's to judge.
func TestRuntimeOfLeavesToDoor(t *testing.T) {
	if !isRoot() {
		return
	}
	for name, change := range map[string]func(s *scene) error{
		"no record":                   func(s *scene) error { return os.RemoveAll(s.dir) },
		"no runtime in the record":    func(s *scene) error { return os.Remove(s.dir + "/runtime") },
		"the record of another root":  func(s *scene) error { return replaceLink("/elsewhere", s.dir+"/../@root") },
		"another's records":           func(s *scene) error { return os.Chown(filepath.Dir(s.dir), 1000, 1000) },
		"records that others write":   func(s *scene) error { return os.Chmod(filepath.Dir(s.dir), 0o777) },
		"another's state directory":   func(s *scene) error { return os.Chown(s.base, 1000, 1000) },
		"a state directory of others": func(s *scene) error { return os.Chmod(s.base, 0o777) },
		"another's policy":            func(s *scene) error { return os.Chown(s.policy, 1000, 1000) },
		"a policy that others write":  func(s *scene) error { return os.Chmod(s.policy, 0o666) },
		"a policy in others' folder":  func(s *scene) error { return os.Chmod(filepath.Dir(s.policy), 0o777) },
		"no policy":                   func(s *scene) error { return os.Remove(s.policy) },
		"a policy behind a link": func(s *scene) error {
			return errors.Join(os.Rename(s.policy, s.policy+".real"), os.Symlink(s.policy+".real", s.policy))
		},
		"a root behind a link": func(s *scene) error {
			return errors.Join(os.Rename(s.root, s.root+".real"), os.Symlink(s.root+".real", s.root))
		},
		"a policy of today": func(s *scene) error {
			return os.WriteFile(s.policy, []byte("version: 1\nstateDir: "+s.base+".other\n"), 0o600)
		},
		"a policy cut short": func(s *scene) error { return os.WriteFile(s.policy, []byte("version: 1\nstateD"), 0o600) },
		"two policies": func(s *scene) error {
			s.policy += ":" + s.policy
			return nil
		},
		"a long policy": func(s *scene) error { return os.Truncate(s.policy, maxText+1) },
		"a relative policy": func(s *scene) error {
			s.policy = "policy.yaml"
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			must(t, change(s))
			if got, ok := s.runtime(); ok {
				t.Error(got)
			}
		})
	}
}

func replaceLink(to, name string) error { return errors.Join(os.Remove(name), os.Symlink(to, name)) }

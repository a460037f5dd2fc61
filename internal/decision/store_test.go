package decision

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// places are a store and a root of the low-level runtime, both empty.
func places(t *testing.T) (Store, string) {
	t.Helper()
	dir := t.TempDir()
	return Store{Base: filepath.Join(dir, "state")}, filepath.Join(dir, "root")
}

func record(id string) *Record {
	return &Record{
		Decision: Decision{ID: id, Outcome: Tightened, Runtime: Runtime{Path: "/usr/bin/runc", Name: "runc", Version: "1.5.2"}},
		Ceiling:  &policy.Profile{Name: "p"},
	}
}

// otherProcess is a process that lives as long as the test, and one that is
// over.
func otherProcess(t *testing.T) (alive, dead process) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	gone := exec.Command("true")
	must(t, gone.Run())
	alive = process{cmd.Process.Pid, StartTime(cmd.Process.Pid)}
	return alive, process{gone.Process.Pid, alive.start}
}

func TestRecordLives(t *testing.T) {
	s, root := places(t)
	c, err := s.Claim(root, "c1")
	must(t, err)
	if _, err := s.Load(root, "c1"); !errors.Is(err, ErrNoRecord) {
		t.Errorf("a claim alone: %v", err)
	}
	must(t, c.Commit(record("c1"), []byte(`{"a":1}`)))
	r, err := s.Load(root, "c1")
	if err != nil || r.Decision.ID != "c1" || r.Ceiling.Name != "p" {
		t.Errorf("%+v %v", r, err)
	}
	if path, err := s.Runtime(root, "c1"); err != nil || path != "/usr/bin/runc" {
		t.Error(path, err)
	}
	if raw, err := s.Original(root, "c1"); err != nil || string(raw) != `{"a":1}` {
		t.Errorf("%s %v", raw, err)
	}
	must(t, c.Commit(record("c1"), nil))
	if raw, err := s.Original(root, "c1"); err != nil || string(raw) != `{"a":1}` {
		t.Errorf("the original is gone: %s %v", raw, err)
	}
	for _, name := range []string{recordFile, originalFile} {
		if info, err := os.Stat(filepath.Join(c.Dir(), name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	must(t, s.Release(root, "c1", s.Holder(root, "c1")))
	if _, err := os.Stat(c.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("released, and still there: %v", err)
	}
	must(t, s.Release(root, "c1", s.Holder(root, "c1"))) // of none is no error
	for _, err := range []error{second(s.Load(root, "c1")), second(s.Runtime(root, "c1")), second(s.Original(root, "c1"))} {
		if !errors.Is(err, ErrNoRecord) {
			t.Error(err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestClaim(t *testing.T) {
	s, root := places(t)
	first, err := s.Claim(root, "c1")
	must(t, err)
	must(t, first.Commit(record("c1"), []byte("{}")))
	alive, dead := otherProcess(t)

	must(t, writeLink(first.Dir(), creatorLink, alive.String()))
	if _, err := s.Claim(root, "c1"); !errors.Is(err, ErrBusy) {
		t.Errorf("of a live process: %v", err)
	}
	if _, err := s.Claim(root+"2", "c1"); err != nil {
		t.Errorf("the same id below another root: %v", err)
	}
	// The pid came again, with another start.
	must(t, writeLink(first.Dir(), creatorLink, process{alive.pid, alive.start + 1}.String()))
	if _, err := s.Claim(root, "c1"); err != nil {
		t.Errorf("of a pid that came again: %v", err)
	}
	for _, creator := range []string{dead.String(), "", "x", "1", ":", "99999999999999999999:1", "-1:0"} {
		must(t, os.RemoveAll(filepath.Join(first.Dir(), creatorLink)))
		if creator != "" {
			must(t, writeLink(first.Dir(), creatorLink, creator))
		}
		if _, err := s.Claim(root, "c1"); err != nil {
			t.Errorf("of %q: %v", creator, err)
		}
	}
	must(t, os.MkdirAll(filepath.Join(root, "c1"), 0o700))
	if _, err := s.Claim(root, "c1"); !errors.Is(err, ErrExists) {
		t.Errorf("the low-level runtime knows it: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(first.Dir(), recordFile), []byte("{"), 0o600))
	must(t, os.RemoveAll(root))
	if _, err := s.Claim(root, "c1"); err != nil {
		t.Errorf("with a record that cannot be read: %v", err)
	}
	if _, err := s.Load(root, "c1"); err == nil || errors.Is(err, ErrNoRecord) {
		t.Errorf("a record that cannot be read is not none: %v", err)
	}
}

// What a create that was killed left is no hindrance, at any place.
func TestLeftovers(t *testing.T) {
	for _, name := range []string{"." + recordFile, "." + originalFile, "." + creatorLink, "." + runtimeLink} {
		s, root := places(t)
		c, err := s.Claim(root, "c1")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(c.Dir(), name), []byte("half"), 0o600))
		c, err = s.Claim(root, "c1")
		must(t, err)
		must(t, c.Commit(record("c1"), []byte("{}")))
		if left, _ := filepath.Glob(c.Dir() + "/.*"); len(left) > 0 {
			t.Errorf("%s: %v", name, left)
		}
		must(t, c.Abandon())
		if _, err := os.Stat(c.Dir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A directory with something mounted or made in it is never gone into.
func TestReleaseStaysOutOfDirectories(t *testing.T) {
	s, root := places(t)
	c, err := s.Claim(root, "c1")
	must(t, err)
	kept := filepath.Join(c.Dir(), "pin", "0")
	must(t, os.MkdirAll(kept, 0o700))
	if err := s.Release(root, "c1", s.Holder(root, "c1")); err == nil {
		t.Error("it went into the directory")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

func TestSweep(t *testing.T) {
	s, root := places(t)
	alive, dead := otherProcess(t)
	put := func(id string, creator process) {
		c, err := s.Claim(root, id)
		must(t, err)
		must(t, c.Commit(record(id), []byte("{}")))
		must(t, writeLink(c.Dir(), creatorLink, creator.String()))
	}
	must(t, os.MkdirAll(filepath.Join(root, "runs"), 0o700))
	put("alive", alive)
	// Claimed before the low-level runtime knew it, as every container is.
	must(t, os.Remove(filepath.Join(root, "runs")))
	put("runs", dead)
	must(t, os.MkdirAll(filepath.Join(root, "runs"), 0o700))
	put("gone", dead)
	_, err := s.Claim(root, "new")
	must(t, err)
	for id, want := range map[string]bool{"alive": true, "runs": true, "gone": false, "new": true} {
		if _, err := os.Stat(s.Dir(root, id)); (err == nil) != want {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestBadPlaces(t *testing.T) {
	claim := func(s Store, root string) error { return second(s.Claim(root, "c1")) }
	for name, prepare := range map[string]func(t *testing.T, base string){
		"writable by others": func(t *testing.T, base string) { must(t, os.Mkdir(base, 0o700)); must(t, os.Chmod(base, 0o777)) },
		"a link": func(t *testing.T, base string) {
			must(t, os.Mkdir(base+"2", 0o700))
			must(t, os.Symlink(base+"2", base))
		},
		"a file": func(t *testing.T, base string) { must(t, os.WriteFile(base, nil, 0o600)) },
		"another's": func(t *testing.T, base string) {
			if os.Geteuid() != 0 {
				t.Skip("needs root to give files away")
			}
			must(t, os.Mkdir(base, 0o700))
			must(t, os.Chown(base, 1000, 1000))
		},
		"the key is a file": func(t *testing.T, base string) {
			must(t, os.Mkdir(base, 0o700))
			must(t, os.WriteFile(filepath.Join(base, Key("/r")), nil, 0o600))
		},
		"the key is another's": func(t *testing.T, base string) {
			must(t, os.MkdirAll(filepath.Join(base, Key("/r")), 0o700))
			must(t, os.Chmod(filepath.Join(base, Key("/r")), 0o770))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := Store{Base: filepath.Join(t.TempDir(), "state")}
			prepare(t, s.Base)
			if err := claim(s, "/r"); err == nil || errors.Is(err, ErrBusy) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestIDs(t *testing.T) {
	for _, good := range []string{"c1", "A_b+c-d.e", "...", strings.Repeat("x", 255)} {
		if err := CheckID(good); err != nil {
			t.Error(err)
		}
	}
	s, root := places(t)
	for _, bad := range []string{"", ".", "..", "a/b", "/", "a\x00", "@root", "a b", "ä", "*", strings.Repeat("x", 256), "../c1"} {
		for _, err := range []error{
			CheckID(bad), second(s.Claim(root, bad)), second(s.Load(root, bad)), second(s.Runtime(root, bad)), second(s.Original(root, bad)), s.Release(root, bad, ""),
		} {
			if !errors.Is(err, ErrBadID) {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
}

func TestResolveRoot(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(dir+"/real", 0o700))
	must(t, os.Symlink("real", dir+"/link"))
	must(t, os.Symlink("loop", dir+"/loop"))
	for in, want := range map[string]string{
		"/real": "/real", "/link": "/real", "/link/": "/real", "/link/../real/.": "/real", "/link/a/b": "/real/a/b", "/none/x": "/none/x",
	} {
		if got, err := ResolveRoot(dir + in); err != nil || got != dir+want {
			t.Errorf("%s: %s %v", in, got, err)
		}
	}
	if _, err := ResolveRoot(dir + "/loop/x"); err == nil {
		t.Error("a loop of links")
	}
}

func TestList(t *testing.T) {
	s, root := places(t)
	if all, err := s.List(); err != nil || len(all) != 0 {
		t.Errorf("before the first: %v %v", all, err)
	}
	for _, id := range []string{"abcdef1", "abcdef2", "zz"} {
		c, err := s.Claim(root, id)
		must(t, err)
		must(t, c.Commit(record(id), nil))
	}
	must(t, os.MkdirAll(filepath.Join(root, "zz"), 0o700))
	must(t, os.WriteFile(filepath.Join(s.Dir(root, "abcdef2"), recordFile), []byte("{"), 0o600))
	must(t, os.MkdirAll(filepath.Join(s.Base, "@runtimes"), 0o700))
	all, err := s.List()
	if err != nil || len(all) != 3 || all[0].ID != "abcdef1" || all[1].Err == nil || all[1].Record != nil || !all[2].Live || all[0].Live || all[0].Root != root {
		t.Errorf("%+v %v", all, err)
	}
}

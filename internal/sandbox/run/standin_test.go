package run

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

func stands(t *testing.T, dir string) (*place, []standin) {
	t.Helper()
	p, err := newPlace(t.TempDir(), "run")
	if err != nil {
		t.Fatal(err)
	}
	var kept []sandbox.Closed
	for _, name := range []string{"a", "b", "sub/a", "file"} {
		kept = append(kept, sandbox.Closed{Path: filepath.Join(dir, name), Missing: true, Dir: name != "file"})
	}
	all, err := standFor(p, &sandbox.Box{Found: sandbox.Found{Kept: kept}})
	if err != nil {
		t.Fatal(err)
	}
	return p, all
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// What a killed run left goes by its list: what is in use, or has something in
// it, stays, and no link leads to what somebody else has.
func TestStandInsOfAKilledRun(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir + "/sub", other + "/sub"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p, all := stands(t, dir)
	for _, s := range all {
		s.file.Close() // as a kill does
	}
	_, others := stands(t, other)
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "b", "x"), nil, 0o644),
		os.RemoveAll(filepath.Join(dir, "sub")), os.Symlink(other, filepath.Join(dir, "sub")),
		dropAll(others[1:]),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := dropListed(p); !errors.Is(err, unix.ELOOP) {
		t.Errorf("the link is not told: %v", err)
	}
	for name, want := range map[string]bool{dir + "/a": false, dir + "/file": false, dir + "/b/x": true, other + "/a": true} {
		if there(name) != want {
			t.Errorf("%s is there: %v", name, !want)
		}
	}
}

// Somebody puts a link in the place of the directory while a box runs in it.
func TestStandInIsTakenFromItsDirectory(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir + "/sub", other + "/sub"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	_, all := stands(t, dir)
	_, others := stands(t, other)
	defer func() { _ = dropAll(others) }()
	for _, err := range []error{os.Rename(dir+"/sub", dir+"/away"), os.Symlink(other+"/sub", dir+"/sub"), dropAll(all)} {
		if err != nil {
			t.Error(err)
		}
	}
	if there(dir+"/away/a") || !there(other+"/sub/a") {
		t.Error("the wrong one is gone")
	}
	if _, err := hold(sandbox.Closed{Path: dir + "/sub/c", Missing: true, Dir: true}); err == nil || there(other+"/sub/c") {
		t.Error("a stand-in is made where a link leads")
	}
}

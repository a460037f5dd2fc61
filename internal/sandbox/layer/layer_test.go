package layer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func must(t interface{ Fatal(...any) }, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// picture is all that a directory holds.
func picture(t interface{ Fatal(...any) }, dir string) string {
	var all []string
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%q %v", strings.TrimPrefix(p, dir), info.Mode())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" %q", data)
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(p)
			if err != nil {
				return err
			}
			line += " -> " + to
		}
		all = append(all, line)
		return nil
	}))
	return strings.Join(all, "\n")
}

func none(string) bool { return false }

// Whatever was done to the copy, the directory is as it was until Apply, and as
// the copy is afterwards.
func TestApplyMakesTheDirectoryWhatTheCopyIs(t *testing.T) {
	names := []string{"a", "b", "c", "d\n", "e\xff"}
	rapid.Check(t, func(r *rapid.T) {
		base, err := os.MkdirTemp("", "layer")
		must(r, err)
		defer os.RemoveAll(base)
		dir := filepath.Join(base, "dir")
		must(r, os.Mkdir(dir, 0o755))
		steps := func(at, what string) {
			for range rapid.IntRange(0, 12).Draw(r, what) {
				p := filepath.Join(at, filepath.Join(rapid.SliceOfN(rapid.SampledFrom(names), 1, 3).Draw(r, "path")...))
				switch rapid.SampledFrom([]string{"write", "write", "dir", "link", "remove", "mode", "append"}).Draw(r, "do") {
				case "write":
					_ = os.MkdirAll(filepath.Dir(p), 0o755)
					_ = os.WriteFile(p, []byte(rapid.String().Draw(r, "text")), 0o644)
				case "append":
					if f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0); err == nil {
						_, _ = f.WriteString("more")
						f.Close()
					}
				case "dir":
					_ = os.MkdirAll(p, 0o755)
				case "link":
					_ = os.Symlink(rapid.SampledFrom(names).Draw(r, "to"), p)
				case "remove":
					_ = os.RemoveAll(p)
				case "mode":
					if info, err := os.Lstat(p); err == nil && info.Mode()&fs.ModeSymlink == 0 {
						_ = os.Chmod(p, 0o700)
					}
				}
			}
		}
		steps(dir, "before")
		was := picture(r, dir)
		l, err := Copy(base, "run", 0, dir, none)
		must(r, err)
		if got := picture(r, l.Tree()); got != was {
			r.Fatalf("the copy is\n%s\nthe directory\n%s", got, was)
		}
		steps(l.Tree(), "after")
		want := picture(r, l.Tree())
		if got := picture(r, dir); got != was {
			r.Fatalf("the directory is\n%s\nand was\n%s", got, was)
		}
		all, err := Open(base, "run")
		must(r, err)
		changes, err := all[0].Changes()
		must(r, err)
		if (len(changes) == 0) != (want == was) {
			r.Fatalf("changes %v\n%s\n%s", changes, was, want)
		}
		must(r, all[0].Apply(changes, true))
		if got := picture(r, dir); got != want {
			r.Fatalf("the directory is\n%s\nthe copy\n%s\nchanges %+v", got, want, changes)
		}
	})
}

// made is a directory with a copy, in which change has been at work.
func made(t *testing.T, change func(tree string)) (dir string, l *Layer, changes []Change) {
	t.Helper()
	base := t.TempDir()
	dir = filepath.Join(base, "dir")
	must(t, os.MkdirAll(dir+"/sub", 0o755))
	must(t, os.WriteFile(dir+"/file", []byte("before\n"), 0o644))
	must(t, os.WriteFile(dir+"/sub/inner", []byte("before\n"), 0o644))
	must(t, os.WriteFile(dir+"/.env", []byte("secret"), 0o644))
	l, err := Copy(base, "run", 0, dir, func(p string) bool { return filepath.Base(p) == ".env" })
	must(t, err)
	change(l.Tree())
	changes, err = l.Changes()
	must(t, err)
	return dir, l, changes
}

// Times that the command gives a file do not hide that it was written.
func TestAChangeWithOldTimesIsFound(t *testing.T) {
	_, _, changes := made(t, func(tree string) {
		info, err := os.Stat(tree + "/file")
		must(t, err)
		must(t, os.WriteFile(tree+"/file", []byte("BEFORE\n"), 0o644))
		must(t, os.Chtimes(tree+"/file", info.ModTime(), info.ModTime()))
	})
	if len(changes) != 1 || changes[0].What != Modified {
		t.Errorf("%+v", changes)
	}
}

func TestWhatIsHiddenIsNotCopiedNorRemoved(t *testing.T) {
	dir, l, changes := made(t, func(tree string) { must(t, os.Remove(tree+"/file")) })
	if _, err := os.Lstat(l.Tree() + "/.env"); err == nil {
		t.Error("it was copied")
	}
	must(t, l.Apply(changes, false))
	if got := picture(t, dir); !strings.Contains(got, "secret") || strings.Contains(got, `"/file"`) {
		t.Error(got)
	}
}

// Links that anybody plants lead Apply nowhere.
func TestApplyFollowsNoLink(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/inner", []byte("theirs"), 0o644))
	dir, l, changes := made(t, func(tree string) {
		must(t, os.WriteFile(tree+"/sub/inner", []byte("evil"), 0o644))
		must(t, os.WriteFile(tree+"/sub/new", []byte("evil"), 0o644))
	})
	must(t, os.Rename(dir+"/sub", dir+"/aside"))
	must(t, os.Symlink(outside, dir+"/sub"))
	if err := l.Apply(changes, true); err == nil {
		t.Error("applied")
	}
	// The copy's own: a directory becomes a link, and what is below it comes later.
	_, l2, changes2 := made(t, func(tree string) {
		must(t, os.RemoveAll(tree+"/sub"))
		must(t, os.Symlink(outside, tree+"/sub"))
	})
	if err := l2.Apply(changes2, false); !errors.Is(err, ErrMarked) {
		t.Errorf("a link that leads out is not marked: %v", err)
	}
	changes2 = append(changes2, Change{Path: "sub/new", What: Added, Kind: "file"})
	_ = l2.Apply(changes2, true)
	if got := picture(t, outside); got != `"/inner" -rw-r--r-- "theirs"` {
		t.Errorf("written outside:\n%s", got)
	}
}

// One path that is not as it was: nothing is written.
func TestApplyOnAChangedDirectory(t *testing.T) {
	for name, change := range map[string]func(dir string){
		"written":  func(dir string) { must(t, os.WriteFile(dir+"/file", []byte("mine"), 0o644)) },
		"gone":     func(dir string) { must(t, os.Remove(dir+"/file")) },
		"there":    func(dir string) { must(t, os.WriteFile(dir+"/new", []byte("mine"), 0o644)) },
		"replaced": func(dir string) { must(t, os.Rename(dir, dir+"2")); must(t, os.CopyFS(dir, os.DirFS(dir+"2"))) },
	} {
		dir, l, changes := made(t, func(tree string) {
			must(t, os.WriteFile(tree+"/file", []byte("theirs"), 0o644))
			must(t, os.WriteFile(tree+"/new", []byte("theirs"), 0o644))
		})
		change(dir)
		was := picture(t, dir)
		if err := l.Apply(changes, true); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
		if got := picture(t, dir); got != was {
			t.Errorf("%s: written:\n%s", name, got)
		}
	}
}

func TestMarks(t *testing.T) {
	_, l, changes := made(t, func(tree string) {
		for _, f := range []string{"x/.git/hooks/post-checkout", ".vscode/tasks.json", "plain"} {
			must(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, f)), 0o755))
			must(t, os.WriteFile(filepath.Join(tree, f), []byte("x"), 0o755))
		}
		must(t, os.Symlink("../outside", tree+"/up"))
		must(t, os.Symlink("file", tree+"/fine"))
		must(t, unix.Mkfifo(tree+"/fifo", 0o644))
	})
	var marked []string
	for _, c := range changes {
		if c.Marked != "" {
			marked = append(marked, c.Path)
		}
		if c.Path == "fifo" {
			t.Error("a FIFO is a change")
		}
	}
	for _, want := range []string{"x/.git/hooks/post-checkout", ".vscode/tasks.json", "up"} {
		if !slices.Contains(marked, want) {
			t.Errorf("%s is not marked: %v", want, marked)
		}
	}
	if slices.Contains(marked, "fine") || slices.Contains(marked, "plain") {
		t.Errorf("marked: %v", marked)
	}
	text, err := l.Text(Change{Path: "plain", What: Added, Kind: "file"})
	if err != nil || !strings.Contains(text, "+x") {
		t.Errorf("%q %v", text, err)
	}
}

func TestNamesOfRuns(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", ".hidden", "nobody"} {
		if _, err := Open(t.TempDir(), name); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
		if err := Discard(t.TempDir(), name); !errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

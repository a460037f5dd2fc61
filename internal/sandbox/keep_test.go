package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func searched(t *testing.T, homes []string, grants ...Grant) *Box {
	t.Helper()
	b := &Box{Grants: grants}
	if err := b.Search(homes); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Box) mustKeep(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		if !has2(b.Found.Kept, filepath.Join(dir, n)) {
			t.Errorf("%s can be written to: %v", n, b.Found.Kept)
		}
	}
}

// What git believes stays, whatever the name of the repository's own directory,
// and wherever its settings are.
func TestKeepsWhatGitBelieves(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/.git/HEAD", "")
	put(t, dir+"/.git/config", "[include] path = \"../a \\\"b\" # c\n[Core]\n\tHooksPath = tools/\\\nhooks\n[includeIf \"gitdir:/x\"]\r\n\tpath=../missing/x/y\r\n")
	put(t, dir+"/a \"b", "")
	put(t, dir+"/bare/HEAD", "")
	put(t, dir+"/bare/objects/x", "")
	put(t, dir+"/store/x/HEAD", "")
	put(t, dir+"/store/x/commondir", "..")
	put(t, dir+"/store/x/config", "[core]\nhooksPath = h\n")
	b := searched(t, nil, Grant{Path: dir, Dir: true, Write: true})
	b.mustKeep(t, dir, ".git/config", ".git/commondir", ".git/config.worktree", "a \"b", "tools", "missing",
		"bare/config", "bare/hooks", "bare/commondir", "store/x/commondir", "store/x/config", "store/x/hooks", "store/x/h")
	for _, p := range []string{".git", "bare", "store", "store/x"} {
		if !slices.Contains(b.Found.Anchors, filepath.Join(dir, p)) {
			t.Errorf("%s can be moved away: %v", p, b.Found.Anchors)
		}
	}
	searched(t, nil, Grant{Path: dir + "/bare", Dir: true, Write: true}).mustKeep(t, dir, "bare/config", "bare/hooks")
}

// An empty .git is no repository: the command does not make it one.
func TestKeepsAnEmptyGit(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/.git", 0o755); err != nil {
		t.Fatal(err)
	}
	searched(t, nil, Grant{Path: dir, Dir: true, Write: true}).mustKeep(t, dir, ".git")
}

// A grant of something in a kept place opens that alone, and a grant to read
// opens nothing.
func TestGrantsInKeptPlaces(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".git/HEAD", ".git/config", ".git/index", ".vscode/tasks.json", ".claude/x"} {
		put(t, filepath.Join(dir, n), "")
	}
	top := Grant{Path: dir, Dir: true, Write: true}
	b := searched(t, nil, top, Grant{Path: dir + "/.git/index"}, Grant{Path: dir + "/.vscode/tasks.json", Write: true}, Grant{Path: dir + "/.claude", Dir: true, Write: true})
	b.mustKeep(t, dir, ".git/config", ".vscode")
	if has2(b.Found.Kept, dir+"/.claude") {
		t.Error(".claude is closed, and was granted")
	}
	b = searched(t, nil, top, Grant{Path: dir + "/.git", Dir: true})
	if slices.Contains(b.Found.Anchors, dir+"/.git") {
		t.Error("what was granted to read is mounted again, to be written to")
	}
}

// Where the links of a kept directory lead is kept as well.
func TestKeepsWhereLinksLead(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/tools/tasks.json", "")
	put(t, dir+"/.vscode/x", "")
	for from, to := range map[string]string{"tasks.json": "../over", "settings.json": "../none/x", "up": "..", "etc": "/etc/hosts", "loop": "loop2"} {
		if err := os.Symlink(to, filepath.Join(dir, ".vscode", from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("tools/tasks.json", dir+"/over"); err != nil {
		t.Fatal(err)
	}
	b := searched(t, nil, Grant{Path: dir, Dir: true, Write: true})
	b.mustKeep(t, dir, ".vscode", "tools/tasks.json", "none")
	if has2(b.Found.Kept, dir) || has2(b.Found.Kept, "/etc/hosts") {
		t.Errorf("%v", b.Found.Kept)
	}
	if !slices.Contains(b.Found.Anchors, dir+"/tools") {
		t.Error("tools can be moved away")
	}
}

// A home directory below what was granted is one as well.
func TestKeepsHomesBelow(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/people/alice/x", "")
	b := searched(t, []string{dir + "/people/alice"}, Grant{Path: dir, Dir: true, Write: true})
	b.mustKeep(t, dir, "people/alice/.bashrc", "people/alice/.config")
}

func TestGrantBelowWhatIsHidden(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/.aws/config", "")
	b := &Box{Grants: []Grant{{Path: dir, Dir: true}, {Path: dir + "/.aws/config"}}}
	if err := b.Search(nil); err == nil {
		t.Error("it is granted and hidden")
	}
	put(t, dir+"/r/.git/HEAD", "")
	put(t, dir+"/r/.git/config", "[core]\nhooksPath = .\n")
	if err := (&Box{Grants: []Grant{{Path: dir + "/r", Dir: true, Write: true}}}).Search(nil); err == nil {
		t.Error("git runs what lies at the top of what was granted")
	}
}

// What can only be read may believe what lies where the command writes.
func TestKeepsWhatAReadOnlyRepositoryNames(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/.git/HEAD", "")
	put(t, dir+"/.git/config", "[core]\nhooksPath = out/hooks\n[include]\npath = ../out/new\n")
	put(t, dir+"/.vscode/x", "")
	put(t, dir+"/out/tasks.json", "")
	if err := os.Symlink("../out/tasks.json", dir+"/.vscode/tasks.json"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/x", dir+"/.idea"); err != nil { // harmless where nobody writes
		t.Fatal(err)
	}
	b := searched(t, nil, Grant{Path: dir, Dir: true, Implied: true}, Grant{Path: dir + "/out", Dir: true, Write: true})
	b.mustKeep(t, dir, "out/hooks", "out/new", "out/tasks.json", "out/.git")
	for _, c := range b.Found.Kept {
		if !below(dir+"/out", c.Path) {
			t.Errorf("%s is made where nobody writes", c.Path)
		}
	}
}

package sandbox

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// What a repository lists to be written to opens nothing that the caller's own
// grant leaves closed.
func TestNarrowingOpensNothing(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".git/HEAD", ".git/objects/x", ".vscode/t", ".env", "tools/hooks/pre-commit", "src/a"} {
		put(t, dir+"/"+n, "")
	}
	put(t, dir+"/.git/config", "[core]\nhooksPath = tools/hooks\n")
	if err := os.Symlink("../tools/task.sh", dir+"/.vscode/link"); err != nil {
		t.Fatal(err)
	}
	put(t, dir+"/tools/task.sh", "")
	b := &Box{Limits: Defaults(), Grants: []Grant{{Path: dir, Dir: true, Write: true}}}
	n := &Narrow{Version: 1, RW: []string{".git", ".git/config", ".vscode", "tools", "src"}}
	err := n.Apply(b, dir, nil, func(p string) (Grant, error) {
		return Grant{Path: dir + "/" + p, Dir: !strings.Contains(p, "/") && p != ".env", Write: true}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Search(nil); err != nil {
		t.Fatal(err)
	}
	b.mustKeep(t, dir, ".git/config", ".git/hooks", ".git/commondir", ".vscode", "tools/hooks", "tools/task.sh")
	if !has2(b.Found.Hidden, dir+"/.env") {
		t.Errorf("shown: %v", b.Found.Hidden)
	}
	hidden := *b
	hidden.Grants = append(slices.Clone(b.Grants), Grant{Path: dir + "/.env", Write: true})
	if err := hidden.Search(nil); !errors.Is(err, ErrWidens) {
		t.Errorf("what is hidden is listed: %v", err)
	}
	if has2(b.Found.Kept, dir+"/src") || has2(b.Found.Kept, dir+"/.github") {
		t.Errorf("closed, or made where nobody writes: %v", b.Found.Kept)
	}
}

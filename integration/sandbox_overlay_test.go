package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a command with --overlay did counts when somebody applies it.
func TestBoxOverlay(t *testing.T) {
	b := newBoxed(t)
	const name = "overlay-test"
	t.Cleanup(func() { _, _ = run(t, tested.hatchctl, "run", boxDir(), "discard", name) })
	_, errs, code := b.sh(t, `printf 'read \033]0;owned\007 more\n' >README; mkdir new; echo x >new/file; ls api; cat .env api/.env; exit 5`,
		"--rw", ".", "--overlay", "--name", name)
	if code != 5 || !strings.Contains(errs, "modified README") || !strings.Contains(errs, "added    new/file") || strings.Contains(errs, "\x1b") || strings.Contains(errs, "\x07") {
		t.Fatalf("%d %q", code, errs)
	}
	if got := read(t, b.dir+"/README"); got != "read me\n" {
		t.Fatalf("it counted already: %q", got)
	}
	if diff := mustRun(t, tested.hatchctl, "run", boxDir(), "diff", name); !strings.Contains(diff, "-read me") || strings.Contains(diff, "\x1b") {
		t.Errorf("%q", diff)
	}
	if _, errs, code := b.sh(t, "true", "--rw", ".", "--overlay", "--name", name); code != 125 || !strings.Contains(errs, "wait") {
		t.Errorf("a second run took the place of the first one's changes: %d %s", code, errs)
	}
	mustRun(t, tested.hatchctl, "run", boxDir(), "apply", name)
	if got := read(t, b.dir+"/README") + read(t, b.dir+"/new/file") + read(t, b.dir+"/.env"); got != "read \x1b]0;owned\x07 more\nx\nKEY=the-secret" {
		t.Errorf("%q", got)
	}
	for _, n := range names(t, b.dir) {
		if n == ".vscode" {
			t.Error("a stand-in was applied")
		}
	}
	if out, code := run(t, tested.hatchctl, "run", boxDir(), "apply", name); code == 0 {
		t.Error("applied twice", out)
	}
	if _, errs, code := b.sh(t, "true", "--rw", ".", "--overlay", "--name", name); code != 0 || !strings.Contains(errs, "nothing changed") {
		t.Errorf("%d %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(tested.dir, "boxes/layers", name)); err == nil {
		t.Error("a layer without changes is left")
	}
}

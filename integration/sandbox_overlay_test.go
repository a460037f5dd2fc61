package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// What takes the place of a hidden name in the copy ends the command, and the message
// says that the host's own is as it was.
func TestBoxOverlaySaysWhatWasReplaced(t *testing.T) {
	b := newBoxed(t)
	const name = "overlay-replaced"
	t.Cleanup(func() { _, _ = run(t, tested.hatchctl, "run", boxDir(), "discard", name) })
	cmd, _, errs := b.command(t, "--rw", ".", "--overlay", "--name", name, "--", "sh", "-c", "touch ready; sleep 20")
	must(t, cmd.Start())
	var ready []string
	for end := time.Now().Add(20 * time.Second); len(ready) == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ready, _ = filepath.Glob(filepath.Join(tested.dir, "boxes/layers", name, "*/*/ready"))
	}
	if len(ready) != 1 {
		t.Fatal(ready)
	}
	hidden := filepath.Join(filepath.Dir(ready[0]), "api/.env")
	_ = os.RemoveAll(hidden)
	must(t, os.WriteFile(hidden, []byte("new"), 0o600))
	_ = cmd.Wait()
	if said := errs.String(); cmd.ProcessState.ExitCode() != 125 || !strings.Contains(said, b.dir+"/api/.env was replaced in the copy that --overlay made, and not on the host") {
		t.Errorf("%d %s", cmd.ProcessState.ExitCode(), said)
	}
	if got := read(t, b.dir+"/api/.env"); strings.Contains(got, "new") {
		t.Errorf("the host's: %q", got)
	}
}

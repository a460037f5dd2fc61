package layer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A command that makes a file under the name of a hidden one is not shown what the
// hidden one holds.
func TestTextShowsNothingHidden(t *testing.T) {
	dir, base := t.TempDir(), t.TempDir()
	const secret = "TOKEN=hunter2\n"
	hidden := map[string]bool{}
	for _, name := range []string{".env", ".aws/credentials", "deep/er/key.pem"} {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte(secret), 0o600))
		hidden[p] = true
	}
	hidden[filepath.Join(dir, ".aws")] = true
	must(t, os.WriteFile(filepath.Join(dir, "seen"), []byte("was\n"), 0o600))
	l, err := Copy(base, "x", 0, dir, func(p string) bool { return hidden[p] })
	must(t, err)
	for _, name := range []string{".env", ".aws/credentials", "deep/er/key.pem", "seen"} {
		p := filepath.Join(l.Tree(), name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, []byte("now\n"), 0o600))
	}
	changes, err := l.Changes()
	must(t, err)
	files := 0
	for _, c := range changes {
		text, err := l.Text(c)
		must(t, err)
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s shows what is hidden:\n%s", c.Path, text)
		}
		if c.Kind != "file" {
			continue
		}
		files++
		if !strings.Contains(text, "+now") || strings.Contains(text, "-was") != (c.Path == "seen") {
			t.Errorf("%s:\n%s", c.Path, text)
		}
	}
	if files != 4 {
		t.Errorf("%d files changed: %v", files, changes)
	}
}

package layer

import (
	"os"
	"path/filepath"
	"testing"
)

// A repository that a command makes is marked, whatever it is called.
func TestMarksOfRepositories(t *testing.T) {
	_, _, changes := made(t, func(tree string) {
		for name, text := range map[string]string{
			"b/HEAD": "", "b/objects/x": "", "b/config": "", "b/hooks/x": "", "b/other": "",
			"w/.git": "gitdir: ../b", "plain/config": "", "s/HEAD": "", "s/commondir": "../b",
		} {
			p := filepath.Join(tree, name)
			must(t, os.MkdirAll(filepath.Dir(p), 0o755))
			must(t, os.WriteFile(p, []byte(text), 0o644))
		}
	})
	marked := map[string]bool{}
	for _, c := range changes {
		marked[c.Path] = c.Marked != ""
	}
	for name, want := range map[string]bool{"b/config": true, "b/hooks/x": true, "w/.git": true, "s/commondir": true, "b/other": false, "plain/config": false} {
		if got, ok := marked[name]; !ok || got != want {
			t.Errorf("%s: marked %v", name, got)
		}
	}
}

package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// A repository narrows its box when its file was accepted, and never widens it.
func TestBoxNarrowedByARepository(t *testing.T) {
	b := newBoxed(t)
	file := b.dir + "/.hatchdog/sandbox.yaml"
	must(t, os.MkdirAll(b.dir+"/.hatchdog", 0o755))
	must(t, os.MkdirAll(b.dir+"/build", 0o755))
	must(t, os.WriteFile(b.dir+"/build/data.csv", []byte("rows"), 0o644))
	write := func(text string) string {
		must(t, os.WriteFile(file, []byte(text), 0o644))
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	digest := write("version: 1\nexec: false\nrw: [build]\nhide: ['*.csv']\ntime: 2s\n")
	const script = "touch build/made; touch top 2>/dev/null && echo WIDE; cp /bin/echo /tmp/e; /tmp/e WIDE; cat build/data.csv; echo evil >.hatchdog/sandbox.yaml && echo WIDE; sleep 100"
	flags := []string{"--rw", ".", "--exec", "--policy-from", ".hatchdog/sandbox.yaml"}
	if _, errs, code := b.sh(t, script, flags...); code != 125 || !strings.Contains(errs, "--policy-accept "+digest) {
		t.Errorf("the first use of it asks: %d %s", code, errs)
	}
	for range 2 { // accepted once
		out, errs, code := b.sh(t, script, append(flags, "--policy-accept", digest, "--no-ask")...)
		if code != 124 || strings.Contains(out, "WIDE") || strings.Contains(out, "rows") {
			t.Errorf("%d %s%s", code, out, errs)
		}
		if _, err := os.Stat(b.dir + "/build/made"); err != nil {
			t.Error(err)
		}
		digest = "none"
	}
	write("version: 1\nexec: false\ntime: 1s\n")
	if _, errs, code := b.sh(t, "true", append(flags, "--no-ask")...); code != 125 || !strings.Contains(errs, "changed since") {
		t.Errorf("a changed one: %d %s", code, errs)
	}
	write("version: 1\nexec: true\n")
	if _, errs, code := b.sh(t, "true", flags...); code != 125 || !strings.Contains(errs, "cannot widen") {
		t.Errorf("one that widens: %d %s", code, errs)
	}
	must(t, os.Remove(file))
	must(t, os.Symlink("/etc/passwd", file))
	if _, errs, code := b.sh(t, "true", flags...); code != 125 || !strings.Contains(errs, "symbolic link") {
		t.Errorf("a link: %d %s", code, errs)
	}
}

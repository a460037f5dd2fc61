package integration

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The last check of a run sees what a container could have done to the host.
func TestHostFilesAreCompared(t *testing.T) {
	dir := t.TempDir()
	node, file := filepath.Join(dir, "null"), filepath.Join(dir, "hosts")
	must(t, unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, os.WriteFile(file, []byte("a"), 0o644))
	look := func() map[string]string {
		all := map[string]string{}
		note(all, node)
		note(all, file)
		return all
	}
	before := look()
	if got := changed(before, look()); len(got) > 0 {
		t.Fatal(got)
	}
	must(t, os.Chown(node, 1879113728, 1879113728))
	must(t, os.Chmod(file, 0o666))
	got := strings.Join(changed(before, look()), "\n")
	wantLines(t, got, node+" is owner 1879113728:1879113728", "was owner 0:0", "device 1:3", file+" is owner 0:0, mode 100666")

	// On the host itself: its nodes, its settings and its mounts are all seen.
	host := hostFiles()
	for path, want := range map[string]string{"/dev/null": "device 1:3", "/etc/passwd": "content ", "/": "mode 4"} {
		if !strings.Contains(host[path], want) {
			t.Errorf("%s: %q", path, host[path])
		}
	}
	for path, what := range map[string]string{"/dev/null": "owner 1:1", "/etc/passwd": "content 00", "/": "mode 40777"} {
		later := maps.Clone(host)
		later[path] = what
		if got := changed(host, later); len(got) != 1 || !strings.HasPrefix(got[0], path+" is "+what) {
			t.Errorf("%s: %v", path, got)
		}
	}
	fewer := maps.Clone(host)
	delete(fewer, "/etc/passwd")
	if got := changed(host, fewer); len(got) != 1 || !strings.Contains(got[0], "is gone") {
		t.Error(got)
	}
	if got := changed(fewer, host); len(got) != 1 || !strings.Contains(got[0], "is new") {
		t.Error(got)
	}
}

package effects

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A place is made within the root file system, wherever its links point, and what is
// there stays.
func TestPlacesAreMadeWithinTheRoot(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	for name, to := range map[string]string{"up": "../../../../..", "out": outside, "own": "/srv/deep", "dangling": "/nowhere", "loop": "loop"} {
		if err := os.Symlink(to, root+"/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(root+"/srv/deep", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(root+"/there", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(root, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, at := range []string{"/a/b", "/own/x", "/up/up/e", "/out/f", "/dangling/g", "/loop/h", "/there/i", "/", "/..", "/a/b/../c"} {
		placeIn(fd, at, false)
	}
	placeIn(fd, "/a/file", true)
	placeIn(fd, "/there", true)
	for name, dir := range map[string]bool{"/a/b": true, "/srv/deep/x": true, "/e": true, "/a/file": false, "/there": false} {
		st, err := os.Lstat(root + name)
		if err != nil || st.IsDir() != dir {
			t.Errorf("%s: %v %v", name, st, err)
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside: %v %v", left, err)
	}
	if text, err := os.ReadFile(root + "/there"); err != nil || string(text) != "x" {
		t.Errorf("what was there: %q %v", text, err)
	}
}

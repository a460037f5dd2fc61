package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func image(t *testing.T) (string, int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return dir, fd
}

// An image's ids are those of its accounts and of its first files; a link of its
// own leads nowhere outside.
func TestIDsOfAnImage(t *testing.T) {
	dir, fd := image(t)
	for name, text := range map[string]string{
		"etc/real":  "root:x:0:0::/:/bin/sh\napp:x:70000:1000650000::/:\nbad\nworse:x:99999999999:-1::\n+::::::\n",
		"etc/group": "wheel:x:131072:\nall:x:4294967295:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/real", dir+"/etc/passwd"); err != nil {
		t.Fatal(err)
	}
	if got := imageOwners(fd); !slices.Equal(got, []uint32{70000, 131072, 1000650000}) {
		t.Errorf("%v", got)
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll(dir+"/home/ann", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir+"/home/ann", 177777777, 0); err != nil {
			t.Fatal(err)
		}
		if got := imageOwners(fd); !slices.Contains(got, 177777777) {
			t.Errorf("%v", got)
		}
	}
}

// What an image has in the place of its accounts is not opened, not followed out
// of it and not read without end.
func TestAnImageThatIsHostile(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte("x:x:80000:80000::/:"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func(file string) error{
		"fifo":         func(file string) error { return unix.Mkfifo(file, 0o666) },
		"directory":    func(file string) error { return os.Mkdir(file, 0o755) },
		"link outside": func(file string) error { return os.Symlink(outside, file) },
		"link up":      func(file string) error { return os.Symlink("../../../../../../../.."+outside, file) },
		"loop":         func(file string) error { return os.Symlink("passwd", file) },
		"magic link":   func(file string) error { return os.Symlink("/proc/self/fd/0", file) },
		"endless": func(file string) error {
			return os.WriteFile(file, []byte(strings.Repeat("x:x:1:1::/:\n", 2*mostAccounts)+"x:x:80000:80000::/:"), 0o600)
		},
		"one long line": func(file string) error { return os.WriteFile(file, make1(1<<20), 0o600) },
	} {
		dir, fd := image(t)
		if err := make(dir + "/etc/passwd"); err != nil {
			t.Fatal(err)
		}
		done := timeout(t, name)
		if got := imageOwners(fd); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
		close(done)
	}
}

func make1(n int) []byte { return []byte(strings.Repeat("9", n)) }

// timeout ends the test where a file that blocks was opened.
func timeout(t *testing.T, what string) chan struct{} {
	t.Helper()
	done := make(chan struct{})
	go func() {
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			panic(what + ": it hangs")
		}
	}()
	return done
}

// A range is told from its mapping, and no other mapping is taken for one.
func TestARangeIsToldFromItsMapping(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		g := IDRange{Base: uint32(rapid.IntRange(1, 20000).Draw(r, "base")) * IDUnit, Size: uint32(rapid.IntRange(1, 3).Draw(r, "units")) * IDUnit}
		for _, id := range rapid.SliceOfN(rapid.Uint32(), 0, 20).Draw(r, "ids") {
			if g = g.With(id); len(g.Lines()) < 16 && id != 4294967295 && !g.Covers(id) {
				r.Fatalf("%d is not in %+v", id, g)
			}
		}
		if back, ok := rangeOf(g.Lines()); !ok || back != g {
			r.Fatalf("%+v became %+v", g, back)
		}
		lines := g.Lines()
		i := rapid.IntRange(0, len(lines)-1).Draw(r, "line")
		switch rapid.IntRange(0, 2).Draw(r, "how") {
		case 0:
			lines[i].Inside++
		case 1:
			lines[i].Outside++
		default:
			lines[i].Size--
		}
		if back, ok := rangeOf(lines); ok && !slices.Equal(back.Lines(), lines) {
			r.Fatalf("%+v became %+v", lines, back)
		}
		if _, ok := rangeOf(lines); ok && len(lines) > 1 {
			r.Fatalf("%v is no range of ours", fmt.Sprint(lines))
		}
	})
}

package bundle

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSteady(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	root, err := os.MkdirTemp("/", ".hatchdog-test-") // under / every directory on the way is root's
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	must(t, os.Chmod(root, 0o755))
	for _, d := range []string{"a/b", "users", "sticky/own", "sticky/theirs", "open/own", "group/own", "staff/own"} {
		must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	must(t, os.Chown(filepath.Join(root, "users"), 1000, 1000))
	must(t, os.Mkdir(filepath.Join(root, "users/x"), 0o755))
	must(t, os.Chmod(filepath.Join(root, "sticky"), 0o777|os.ModeSticky))
	must(t, os.Chown(filepath.Join(root, "sticky/theirs"), 1000, 1000))
	must(t, os.Chmod(filepath.Join(root, "open"), 0o777))
	must(t, os.Chmod(filepath.Join(root, "group"), 0o775))
	must(t, os.Chmod(filepath.Join(root, "staff"), 0o775))
	must(t, os.Chown(filepath.Join(root, "staff"), 0, 50))
	must(t, os.Symlink("a/b", filepath.Join(root, "good")))
	must(t, os.Symlink(filepath.Join(root, "users/x"), filepath.Join(root, "bad")))
	must(t, os.Symlink("loop", filepath.Join(root, "loop")))
	must(t, os.Symlink("/proc/self/fd/0", filepath.Join(root, "stdin")))
	for _, path := range []string{"/proc/self/cwd", "/proc/self/root/etc", "/proc/thread-self/fd/0", root + "/stdin"} {
		if Steady(path) {
			t.Errorf("%s leads elsewhere in the low-level runtime", path)
		}
	}
	if !Steady("/proc/1/status") {
		t.Error("a file of procfs that is no link")
	}
	for path, want := range map[string]bool{
		"a/b": true, "users": true, "users/x": false, "sticky/own": true, "sticky/theirs": false, "open/own": false,
		"group/own": true, "staff/own": false, "good": true, "bad": false, "loop": false, "nowhere": false, "users/../a": true,
	} {
		if got := Steady(root + "/" + path); got != want {
			t.Errorf("%s: %v", path, got)
		}
	}
}

// The bundle itself is root's, but somebody could put another in its place.
func TestBundleOnAPathOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	home := filepath.Join(t.TempDir(), "home")
	dir := filepath.Join(home, "bundle")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, Config), []byte(`{"ociVersion":"1.0.0"}`), 0o600))
	steady := func() bool {
		b, err := Open(dir)
		must(t, err)
		defer b.Close()
		return b.Steady()
	}
	if !steady() {
		t.Error("not steady")
	}
	must(t, os.Chown(home, 1000, 1000))
	if steady() {
		t.Error("its path is another's")
	}
	must(t, os.Chown(home, 0, 0))
	must(t, os.Chmod(dir, 0o777))
	if steady() {
		t.Error("all may write to it")
	}
}

// An access control list lets a user write where the mode names root's group.
func TestAccessControlList(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give files away")
	}
	// user::rwx user:1000:rwx group::r-x mask::rwx other::r-x (kernel,
	// include/uapi/linux/posix_acl_xattr.h)
	acl := []byte{2, 0, 0, 0}
	for _, e := range [][2]uint32{{0x00070001, 0xffffffff}, {0x00070002, 1000}, {0x00050004, 0xffffffff}, {0x00070010, 0xffffffff}, {0x00050020, 0xffffffff}} {
		acl = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(acl, e[0]), e[1])
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, Config), []byte(`{"ociVersion":"1.0.0"}`), 0o600))
	must(t, unix.Setxattr(dir, "system.posix_acl_access", acl, 0))
	b, err := Open(dir)
	must(t, err)
	b.Close()
	if b.Steady() || Steady(filepath.Join(dir, Config)) {
		t.Error("a folder that user 1000 may write to")
	}
	must(t, os.Chmod(dir, 0o755)) // the mask, too: nobody may write
	if !Steady(filepath.Join(dir, Config)) {
		t.Error("the list gives nothing")
	}
	must(t, unix.Setxattr(filepath.Join(dir, Config), "system.posix_acl_access", acl, 0))
	if _, err := Open(dir); !errors.Is(err, ErrWritable) {
		t.Errorf("a spec that user 1000 may write to: %v", err)
	}
}

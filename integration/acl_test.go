package integration

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// defaultACL lets a user do everything with what is made in a folder from now on
// (acl(5); the form is that of linux/posix_acl_xattr.h).
func defaultACL(t *testing.T, dir string, uid uint32) {
	t.Helper()
	type entry struct {
		Tag, Perm uint16
		ID        uint32
	}
	const none = 1<<32 - 1
	var value bytes.Buffer
	must(t, binary.Write(&value, binary.LittleEndian, uint32(2)))
	for _, e := range []entry{{1, 7, none}, {2, 7, uid}, {4, 7, none}, {0x10, 7, none}, {0x20, 7, none}} {
		must(t, binary.Write(&value, binary.LittleEndian, e))
	}
	must(t, unix.Setxattr(dir, "system.posix_acl_default", value.Bytes(), 0))
}

// A folder that counts as root's by its mode may give users a right to all that is
// made in it. What hatchdog makes there gives them none.
func TestDefaultACLs(t *testing.T) {
	for _, userns := range []string{"off", "auto"} {
		d := newPinned(t, "echo ran")
		for dir := d.dir; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o755))
		}
		places := []string{d.dir + "/state", d.dir + "/ids", d.dir + "/log", d.dir + "/root"}
		for _, dir := range append([]string{d.dir}, places...) {
			must(t, os.MkdirAll(dir, 0o755))
			defaultACL(t, dir, 1000)
		}
		d.setPolicy(t, "profile: p\nprofiles:\n  p: {extends: builtin/restricted, userns: {mode: "+userns+"}}\n")
		must(t, os.Chmod(d.policy, 0o600))
		if out, code := d.call(t, nil, "create", "--bundle", d.bundle, "c1"); code != 0 {
			t.Fatal(out)
		}
		for what, test := range map[string][]string{"write to": {"-writable"}, "read": {"-type", "f", "-readable"}} {
			args := append([]string{"--reuid=1000", "--regid=1000", "--clear-groups", "find"}, places[:3]...)
			out, _ := run(t, "setpriv", append(args, test...)...)
			for line := range strings.Lines(out) {
				if !strings.Contains(line, "Permission denied") {
					t.Errorf("userns %s: a user can %s %s", userns, what, line)
				}
			}
		}
		d.call(t, nil, "delete", "--force", "c1")
	}
}

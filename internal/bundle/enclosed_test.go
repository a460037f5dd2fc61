package bundle

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A spec that all may write to is taken where a folder above it lets nobody
// through but root, and in no other place.
func TestWritableSpecInAClosedFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to give folders away")
	}
	for name, tc := range map[string]struct {
		shut func(t *testing.T, closed string)
		want error
	}{
		"closed":                      {func(*testing.T, string) {}, nil},
		"passed by its group":         {func(t *testing.T, d string) { must(t, os.Chmod(d, 0o710)) }, nil},
		"open":                        {func(t *testing.T, d string) { must(t, os.Chmod(d, 0o711)) }, ErrWritable},
		"passed by all but the group": {func(t *testing.T, d string) { must(t, os.Chmod(d, 0o701)) }, ErrWritable},
		"another's":                   {func(t *testing.T, d string) { must(t, os.Chown(d, 1000, 0)) }, ErrWritable},
		"another group's": {func(t *testing.T, d string) {
			must(t, os.Chmod(d, 0o710))
			must(t, os.Chown(d, 0, 1000))
		}, ErrWritable},
		"another group's, which may not pass": {func(t *testing.T, d string) { must(t, os.Chown(d, 0, 1000)) }, nil},
		"with a list":                         {func(t *testing.T, d string) { must(t, unix.Setxattr(d, "system.posix_acl_access", passes(1000), 0)) }, ErrWritable},
		"where all may write": {func(t *testing.T, d string) {
			must(t, os.Chmod(filepath.Dir(d), 0o777))
		}, ErrWritable},
		"by way of a link": {func(t *testing.T, d string) {
			must(t, os.Rename(d, d+"2"))
			must(t, os.Symlink(d+"2", d))
		}, nil},
		"by way of another's link": {func(t *testing.T, d string) {
			must(t, os.Rename(d, d+"2"))
			must(t, os.Symlink(d+"2", d))
			must(t, os.Chmod(filepath.Dir(d), 0o1777))
			must(t, os.Lchown(d, 1000, 1000))
		}, ErrWritable},
		"an open folder by way of a closed one": {func(t *testing.T, d string) {
			elsewhere := filepath.Join(filepath.Dir(d), "elsewhere")
			must(t, os.Rename(d+"/bundle", elsewhere))
			must(t, os.Symlink(elsewhere, d+"/bundle"))
		}, ErrWritable},
	} {
		t.Run(name, func(t *testing.T) {
			place, err := os.MkdirTemp("/var/tmp", "enclosed") // the folders above let all through
			must(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(place) })
			must(t, os.Chmod(place, 0o755))
			closed := filepath.Join(place, "closed")
			dir := filepath.Join(closed, "bundle")
			must(t, os.Mkdir(closed, 0o700))
			must(t, os.Mkdir(dir, 0o711))
			must(t, os.WriteFile(filepath.Join(dir, Config), []byte(`{"ociVersion":"1.0.0"}`), 0o600))
			must(t, os.Chmod(filepath.Join(dir, Config), 0o666))
			tc.shut(t, closed)
			b, err := Open(dir)
			if err == nil {
				b.Close()
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			if _, err := ReadFile(filepath.Join(dir, Config)); !errors.Is(err, ErrWritable) {
				t.Errorf("as a file of a process: %v", err)
			}
		})
	}
}

// passes is an access control list that lets a user pass a folder (kernel,
// include/uapi/linux/posix_acl_xattr.h): user::rwx user:UID:--x group::--- mask::--x other::---
func passes(uid uint32) []byte {
	acl := []byte{2, 0, 0, 0}
	for _, e := range [][2]uint32{{0x00070001, 0xffffffff}, {0x00010002, uid}, {0x00000004, 0xffffffff}, {0x00010010, 0xffffffff}, {0x00000020, 0xffffffff}} {
		acl = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(acl, e[0]), e[1])
	}
	return acl
}

package effects

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/retest"
)

// What a low-level runtime gives away is a node of its own: the host's stays as it
// is, and reads and writes as before.
func TestTheHostsDevicesAreNotGivenAway(t *testing.T) {
	retest.NeedRoot(t, "make device nodes")
	for minor, mode := range map[uint32]int{3: unix.O_RDWR, 5: unix.O_RDONLY, 7: unix.O_WRONLY | unix.O_APPEND} {
		node := filepath.Join(t.TempDir(), "node")
		if err := unix.Mknod(node, unix.S_IFCHR|0o600, int(unix.Mkdev(1, minor))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(node, 0o666); err != nil {
			t.Fatal(err)
		}
		fd, err := unix.Open(node, mode, 0)
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		if err := ownDevices([]int{fd, int(file.Fd()), 4711}, false); err != nil {
			t.Fatal(err)
		}
		var was, is, other unix.Stat_t
		// What crun does with its standard streams.
		if err := unix.Fchown(fd, 1879113728, 1879113728); err != nil {
			t.Fatal(err)
		}
		if err := unix.Stat(node, &was); err != nil || was.Uid != 0 || was.Gid != 0 {
			t.Errorf("1:%d: the host's belongs to %d:%d, %v", minor, was.Uid, was.Gid, err)
		}
		flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		cloexec, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err := unix.Fstat(fd, &is); err != nil || is.Rdev != was.Rdev || is.Mode != was.Mode || flags&(unix.O_ACCMODE|unix.O_APPEND) != mode || cloexec != 0 {
			t.Errorf("1:%d became %+v, flags %#o, %d, %v", minor, is, flags, cloexec, err)
		}
		if err := unix.Fstat(int(file.Fd()), &other); err != nil || other.Mode&unix.S_IFMT != unix.S_IFREG {
			t.Errorf("a file was replaced: %+v", other)
		}
		if n, err := unix.Write(fd, []byte("x")); minor == 3 && (n != 1 || err != nil) || minor == 7 && err != unix.ENOSPC {
			t.Errorf("1:%d: writing: %d %v", minor, n, err)
		}
		_ = unix.Close(fd)
		_ = file.Close()
	}
}

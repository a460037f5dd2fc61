package why

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/inside"
)

// allIDs is the map of a container without a user namespace.
func allIDs() []host.IDMap { return []host.IDMap{{Inside: 0, Outside: 0, Size: ^uint32(0)}} }

// What owner and mode let through is what the kernel lets through, for every mode
// of one class and whoever asks.
func TestPermissionIsTheKernels(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to be other users")
	}
	file := filepath.Join(t.TempDir(), "file")
	for _, d := range []string{filepath.Dir(file), filepath.Dir(filepath.Dir(file))} { // up to the shared one
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, owner := range []int{1, 2, 3} {
		for _, group := range []int{1, 2, 3} {
			for mode := range uint32(0o1000) {
				if mode%7 != 0 && mode&0o77 != mode>>3 { // a sample
					continue
				}
				if err := os.Chown(file, owner, group); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(file, os.FileMode(mode)); err != nil {
					t.Fatal(err)
				}
				for _, want := range []uint32{read, write, search} {
					tried++
					c := &Container{Process: &inside.Process{UID: 1, GID: 1, Groups: []uint32{2}, UIDs: allIDs(), GIDs: allIDs()}, Held: true}
					n := inside.Node{Path: file, Mode: unix.S_IFREG | mode, UID: uint32(owner), GID: uint32(group)}
					if got, kernel := c.may(c.asItIs(), n, want), kernelMay(t, file, want); got != kernel {
						t.Fatalf("mode %04o, owner %d:%d, want %o: %v, the kernel %v", mode, owner, group, want, got, kernel)
					}
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d", tried)
	}
}

// kernelMay asks the kernel as uid 1, gid 1 and group 2, on a thread that ends.
func kernelMay(t *testing.T, file string, want uint32) bool {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		groups := []uint32{2}
		_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 1, uintptr(ptr(&groups[0])), 0)
		if e == 0 {
			_, _, e = unix.RawSyscall(unix.SYS_SETRESGID, 1, 1, 1)
		}
		if e == 0 {
			_, _, e = unix.RawSyscall(unix.SYS_SETRESUID, 1, 1, 1)
		}
		if e != 0 {
			panic(e)
		}
		done <- unix.Faccessat(unix.AT_FDCWD, file, want, unix.AT_EACCESS)
	}()
	return <-done == nil
}

package integration

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// hungFUSE mounts a file system that is empty and whose program does not answer
// who looks for "hangs" (kernel, uapi/linux/fuse.h).
func hungFUSE(t *testing.T, at string) {
	t.Helper()
	must(t, os.MkdirAll(at, 0o755))
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("the kernel has no FUSE: %v", err)
	}
	must(t, unix.Mount("hung", at, "fuse", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)))
	t.Cleanup(func() {
		_ = unix.Unmount(at, unix.MNT_FORCE|unix.MNT_DETACH) // whoever waits is let go
		_ = unix.Close(fd)
	})
	go func() {
		const lookup, forget, getattr, initialize, interrupt, forgetMany = 1, 2, 3, 26, 36, 42
		buf := make([]byte, 1<<18)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil || n < 40 {
				return
			}
			out := make([]byte, 16)
			copy(out[8:], buf[8:16])                                                                              // unique
			refuse := func(errno syscall.Errno) { binary.LittleEndian.PutUint32(out[4:], uint32(-int32(errno))) } //nolint:gosec // as the protocol has it
			switch binary.LittleEndian.Uint32(buf[4:]) {
			case initialize:
				answer := make([]byte, 64)
				binary.LittleEndian.PutUint32(answer, 7)
				binary.LittleEndian.PutUint32(answer[4:], 31)
				binary.LittleEndian.PutUint32(answer[20:], 1<<16) // max_write
				out = append(out, answer...)
			case getattr:
				answer := make([]byte, 16+88)
				binary.LittleEndian.PutUint64(answer[16:], 1)
				binary.LittleEndian.PutUint32(answer[16+60:], unix.S_IFDIR|0o755)
				binary.LittleEndian.PutUint32(answer[16+64:], 1)
				out = append(out, answer...)
			case lookup:
				if strings.HasPrefix(string(buf[40:n]), "hangs") {
					continue
				}
				refuse(unix.ENOENT)
			case forget, interrupt, forgetMany:
				continue
			default:
				refuse(unix.ENOSYS)
			}
			binary.LittleEndian.PutUint32(out, uint32(len(out))) //nolint:gosec // it is short
			_, _ = unix.Write(fd, out)
		}
	}()
}

// A file system that does not answer holds nobody who asks: not even the process
// that waits for it, which no signal ends.
func TestWhyLeavesAFileSystemThatHangs(t *testing.T) {
	at := t.TempDir() + "/hung"
	hungFUSE(t, at)
	b := box{
		name: "hung", policy: "profile: mine\nprofiles:\n  mine: {extends: builtin/restricted, userns: {mode: off}}\n",
		edit: func(_ *testing.T, s *specs.Spec, _ string) { s.Mounts = append(s.Mounts, bind(at, "/hung", "rw")) },
	}
	m := b.make(t)
	m.start(t)
	t.Cleanup(func() { m.stop(t) })
	before := time.Now()
	out, code := run(t, "env", "HATCHDOG_POLICY="+m.dir+"/policy.yaml", tested.hatchctl, "why", m.name, "/hung/hangs")
	if took := time.Since(before); code != 3 || !strings.Contains(out, "does not answer") || took > 30*time.Second {
		t.Errorf("exit code %d after %s\n%s", code, took, out)
	}
}

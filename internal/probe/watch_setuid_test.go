package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The kernel itself is asked: a setuid bit changes the effective user alone.
func TestWatchSeesTheUserOfASetuidBit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	w, err := StartWatch(false)
	if err != nil {
		t.Skip(err)
	}
	defer w.Close()
	dir, err := os.MkdirTemp("/var/tmp", "setuid")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "sleep")
	data, err := os.ReadFile("/bin/sleep")
	if err == nil {
		err = os.WriteFile(program, data, 0o755) //nolint:gosec // others execute it
	}
	if err == nil {
		err = os.Chmod(program, 0o755|os.ModeSetuid) //nolint:gosec // it is what is tested
	}
	if err == nil {
		err = os.Chmod(dir, 0o755) //nolint:gosec // others execute what is in it
	}
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	cmd := exec.Command("/bin/sh", "-c", "read x; "+program+" 0; :")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	link, err := os.Readlink("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	space, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(link, "pid:"), "[]"), 10, 32)
	if err == nil {
		err = w.Add(uint32(space), 1, ^uint64(0))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Second, func() { _ = w.reader.Close() })
	for {
		s, ok, err := w.Read()
		if err != nil || !ok {
			t.Fatal("the program was not told of", err)
		}
		if s.Path != program {
			continue
		}
		if s.UID != 0 || s.OldUID != nobody || s.File.Mode&syscall.S_ISUID == 0 {
			t.Errorf("user %d, before %d, mode %o", s.UID, s.OldUID, s.File.Mode)
		}
		return
	}
}

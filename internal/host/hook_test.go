package host

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// The name of a program in another mount namespace says nothing of the file that
// has the name here, and a name is no proof that a file is gone.
func TestHookOfAnotherMountNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make mounts")
	}
	dir := t.TempDir()
	script := "mount -t tmpfs tmpfs " + dir + " && cp /bin/sleep " + dir + "/dockerd && echo ready && exec " + dir + "/dockerd 60"
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatal(line, err)
	}
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/exe"
	for end := time.Now().Add(10 * time.Second); filepath.Base(readlink(proc)) != "dockerd"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it was not started")
		}
	}
	s := newSources()
	defer s.Close()
	if h := s.hook(proc); h.Err == "" {
		t.Errorf("%+v", h)
	}
	if err := os.WriteFile(filepath.Join(dir, "dockerd"), []byte("another"), 0o755); err != nil {
		t.Fatal(err)
	}
	if h := s.hook(proc); h.Err == "" {
		t.Errorf("with a file of that name here: %+v", h)
	}
	odd := filepath.Join(dir, "dockerd (deleted)")
	if err := os.WriteFile(odd, []byte("odd"), 0o755); err != nil {
		t.Fatal(err)
	}
	if h := s.hook(odd); h.Resolved != odd {
		t.Errorf("%+v", h)
	}
}

func readlink(path string) string {
	to, _ := os.Readlink(path)
	return to
}

package probe

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What fails in a pid namespace is seen, with what it was asked for, and nothing
// of the host.
func TestProbeSeesOnePidNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for BPF")
	}
	cmd := exec.Command("/bin/sh", "-c", "read x; cat /no/such/file-of-the-box; read y")
	in, err := cmd.StdinPipe()
	must(t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	p, err := Start(cmd.Process.Pid, 1)
	must(t, err)
	defer p.Close()
	_, _ = os.Open("/no/such/file-of-the-host")
	beside := exec.Command("cat", "/no/such/file-of-the-host") // as it is another's
	beside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	_ = beside.Run()
	_, _ = in.Write([]byte("go\n"))
	found := false
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && !found; {
		e, ok, err := p.Read(time.Now().Add(time.Second))
		must(t, err)
		if !ok {
			continue
		}
		if strings.Contains(e.First+e.Second, "file-of-the-host") {
			t.Errorf("of the host: %+v", e)
		}
		if e.Second == "/no/such/file-of-the-box" {
			found = true
			if e.Errno != int(syscall.ENOENT) || !e.Entered || e.Command != "cat" || e.Call != syscall.SYS_OPENAT {
				t.Errorf("%+v", e)
			}
		}
	}
	if !found {
		t.Error("the call was not seen")
	}
	if p.Lost() != 0 {
		t.Errorf("%d lost", p.Lost())
	}
}

func TestProbeRefusesTheHostsPids(t *testing.T) {
	if _, err := Start(os.Getpid(), 0); err == nil {
		t.Error("the whole host is watched")
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(make([]byte, eventSize))
	f.Fuzz(func(_ *testing.T, raw []byte) { decode(raw) })
}

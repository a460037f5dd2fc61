package decision

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// A resolver that was killed does not run, whether or not somebody waited for it.
func TestResolverThatNobodyWaitedFor(t *testing.T) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := Resolver{Pid: cmd.Process.Pid, Started: StartTime(cmd.Process.Pid)}
	if !r.Alive() {
		t.Error("it runs")
	}
	if err := cmd.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); r.Alive() && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if r.Alive() || StartTime(r.Pid) == 0 {
		t.Error("a process that nobody has waited for is taken for one that runs")
	}
	_ = cmd.Wait()
	if r.Alive() {
		t.Error("it is gone")
	}
}

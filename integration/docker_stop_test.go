package integration

import (
	"strings"
	"testing"
	"time"
)

func TestDockerStop(t *testing.T) {
	eachDocker(t, stopsAtOnce)
}

// stopsAtOnce asserts that the signals of docker stop arrive: a security module
// that denies them makes it wait for its time-out, and then hang.
func stopsAtOnce(t *testing.T, d *docker) {
	t.Helper()
	id := d.background(t, "busybox", "sh", "-c", "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
	up := func(n int) {
		waitFor(t, "its log", func() bool { return strings.Count(d.do(t, "logs", id), "up") == n })
	}
	up(1)
	const grace = 120 * time.Second
	began := time.Now()
	d.do(t, "stop", "-t", "120", id)
	if took := time.Since(began); took > grace/2 {
		t.Errorf("docker stop took %s", took)
	}
	wantLines(t, d.do(t, "inspect", "-f", "{{.State.ExitCode}}", id), "3")
	d.do(t, "start", id)
	up(2)
	wantLines(t, d.do(t, "exec", "--privileged", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
	d.do(t, "restart", "-t", "120", id)
	up(3)
	d.do(t, "kill", id)
	wantLines(t, d.do(t, "wait", id), "137")
}

package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A dockerd that is killed leaves its containers; the next one finds them held
// as before.
func TestDockerdKilled(t *testing.T) {
	eachDocker(t, dockerdKilled)
}

func dockerdKilled(t *testing.T, d *docker) {
	id := d.background(t, "busybox", "sleep", "600")
	var pid int
	_, err := fmt.Sscan(strings.TrimSpace(mustRun(t, "cat", d.dir+"/docker.pid")), &pid)
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	_ = d.cmd.Wait()
	d.up(t)
	wantLines(t, d.do(t, "exec", "--privileged", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
	d.do(t, "restart", "-t", "0", id)
	wantLines(t, d.do(t, "exec", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
}

func TestDockerContainerKilled(t *testing.T) {
	eachDocker(t, dockerContainerKilled)
}

func dockerContainerKilled(t *testing.T, d *docker) {
	id := d.background(t, "--restart=always", "busybox", "sleep", "600")
	var pid int
	_, err := fmt.Sscan(d.do(t, "inspect", "-f", "{{.State.Pid}}", id), &pid)
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	waitFor(t, "the restarted container", func() bool {
		var now int
		out, code := d.try(t, "inspect", "-f", "{{.State.Pid}} {{.State.Running}}", id)
		var running bool
		_, err := fmt.Sscan(out, &now, &running)
		return code == 0 && err == nil && running && now != pid && now != 0
	})
	wantLines(t, d.do(t, "exec", id, "grep", "CapEff", "/proc/self/status"), restrictedCaps)
}

func TestDockerFiftyAtOnce(t *testing.T) {
	eachDocker(t, dockerFiftyAtOnce)
}

func dockerFiftyAtOnce(t *testing.T, d *docker) {
	const n = 50
	ids := make([]string, n)
	var wg sync.WaitGroup
	slots := make(chan bool, 8)
	for i := range n {
		wg.Go(func() {
			slots <- true
			defer func() { <-slots }()
			out, code := d.try(t, "run", "-d", "--net=none", "--runtime=hatchdog", "busybox", "sleep", "600")
			if code != 0 {
				t.Errorf("container %d: %s", i, out)
			}
			ids[i] = strings.TrimSpace(out)
		})
	}
	wg.Wait()
	t.Cleanup(func() { d.try(t, append([]string{"rm", "-f"}, ids...)...) })
	found, err := filepath.Glob(d.dir + "/state/*/*/record.json")
	must(t, err)
	if len(found) < n {
		t.Errorf("%d records of %d containers", len(found), n)
	}
	if out, code := d.hatchctl(t, "audit", "verify"); code != 0 {
		t.Error(out)
	}
}

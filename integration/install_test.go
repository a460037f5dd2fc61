package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// installed is an engine's configuration that hatchctl edits, and the script
// that makes a containerd of it.
type installed struct{ dir, config, restart, alive string }

func newInstalled(t *testing.T, program, config string) *installed {
	t.Helper()
	ns, err := netns()
	must(t, err)
	i := &installed{dir: filepath.Join(tested.dir, "installed-"+strings.ReplaceAll(t.Name(), "/", "-"))}
	must(t, os.MkdirAll(i.dir, 0o755))
	i.config = i.dir + "/config.toml"
	must(t, os.WriteFile(i.config, []byte(fmt.Sprintf(config, i.dir)), 0o644))
	script := fmt.Sprintf(`#!/bin/sh
cd %[1]s
[ ! -f pid ] || { kill $(cat pid); while kill -0 $(cat pid); do sleep 0.1; done; } 2>/dev/null
HATCHDOG_POLICY=%[1]s/policy.yaml nsenter --net=%[2]s %[3]s --config %[4]s >>%[1]s/containerd.log 2>&1 </dev/null &
echo $! >pid
`, i.dir, ns, program, i.config)
	must(t, os.WriteFile(i.dir+"/restart", []byte(script), 0o755))
	policyFile(t, i.dir, "")
	i.restart = i.dir + "/restart"
	i.alive = fmt.Sprintf("ctr -a %s/containerd.sock version", i.dir)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(run(t, "tail", "-n", "10", i.dir+"/containerd.log"))
		}
		var pid int
		if _, err := fmt.Sscan(read(t, i.dir+"/pid"), &pid); err == nil {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
		killMatching(i.dir)
		unmountBelow(i.dir)
	})
	return i
}

func (i *installed) hatchctl(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, tested.hatchctl, append(args, "--config", i.config, "--binary", tested.hatchdog)...)
}

const installConfig = `# ours
version = 3
root = "%[1]s/root"
state = "%[1]s/state"
[grpc]
address = "%[1]s/containerd.sock"
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
`

// A containerd that is told of hatchdog by the installer runs containers under
// it; one that does not come back is rolled back; the end is the beginning.
func TestInstallContainerd(t *testing.T) {
	program := cached(t, "containerd-v*/containerd")
	t.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
	i := newInstalled(t, program, installConfig)
	original := read(t, i.config)

	out, code := i.hatchctl(t, "install", "containerd", "--dry-run")
	if code != 0 || read(t, i.config) != original {
		t.Fatalf("%d %s", code, out)
	}
	wantLines(t, out, "runtimes.hatchdog", "BinaryName")

	out, code = i.hatchctl(t, "install", "containerd", "--restart", "--restart-with", i.restart, "--alive-with", i.alive)
	if code != 0 {
		t.Fatal(out)
	}
	wantLines(t, out, "containerd is back")
	wantLines(t, mustRun(t, program, "--config", i.config, "config", "dump"), "runtimes.hatchdog", tested.hatchdog)
	written := read(t, i.config)

	out, code = i.hatchctl(t, "install", "containerd", "--set-default", "--restart", "--restart-with", "exit 1", "--alive-with", i.alive)
	if code == 0 || read(t, i.config) != written {
		t.Errorf("not rolled back: %d %s\n%s", code, out, read(t, i.config))
	}
	wantLines(t, out, "rolling back")

	if out, code = i.hatchctl(t, "uninstall", "containerd"); code != 0 {
		t.Fatal(out)
	}
	if got := read(t, i.config); got != original {
		t.Errorf("not as it was:\n%s", got)
	}
}

func TestInstallLeavesWhatDoesNotParse(t *testing.T) {
	i := newInstalled(t, "containerd", "version = \n# %[1]s")
	before := read(t, i.config)
	out, code := i.hatchctl(t, "install", "containerd")
	if code == 0 || read(t, i.config) != before || !strings.Contains(out, "does not parse") {
		t.Errorf("%d %s", code, out)
	}
	must(t, os.WriteFile(i.dir+"/pid", nil, 0o600))
}

// dockerd takes the installer's daemon.json.
func TestInstallDocker(t *testing.T) {
	eachDocker(t, installDocker)
}

func installDocker(t *testing.T, d *docker) {
	original := read(t, d.dir+"/daemon.json")
	must(t, os.WriteFile(d.dir+"/daemon.json", []byte(strings.Replace(original, `"runtimes":{"hatchdog"`, `"runtimes":{"other"`, 1)), 0o600))
	before := read(t, d.dir+"/daemon.json")
	t.Cleanup(func() {
		must(t, os.WriteFile(d.dir+"/daemon.json", []byte(original), 0o600))
		must(t, d.cmd.Process.Signal(syscall.SIGHUP))
	})
	args := []string{"--config", d.dir + "/daemon.json", "--binary", tested.hatchdog}
	mustRun(t, tested.hatchctl, append([]string{"install", "docker"}, args...)...)
	must(t, d.cmd.Process.Signal(syscall.SIGHUP))
	waitFor(t, "dockerd to know both runtimes", func() bool {
		out := d.do(t, "info", "-f", "{{range $k, $v := .Runtimes}}{{$k}} {{end}}")
		return strings.Contains(out, "hatchdog") && strings.Contains(out, "other")
	})
	mustRun(t, tested.hatchctl, append([]string{"uninstall", "docker"}, args...)...)
	if got := read(t, d.dir+"/daemon.json"); got != before {
		t.Errorf("not as it was:\n%s", got)
	}
}

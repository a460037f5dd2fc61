package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// benchCommand is the bench, which makes what it needs in tmp.
func benchCommand(t *testing.T, args ...string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bench")
	mustRun(t, "go", "build", "-o", bin, "./bench")
	tmp = t.TempDir()
	must(t, os.Chmod(filepath.Dir(tmp), 0o755)) // the root of a user namespace passes through
	cmd = exec.Command(bin, append([]string{
		"-hatchdog", tested.hatchdog, "-runc", pinnedRunc(t), "-spec", "testdata/specs/docker-default.json",
	}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	return cmd, tmp
}

// benchRow matches a line of the table.
func benchRow(what string) *regexp.Regexp {
	const number, unit = `[-+]?[0-9.]+`, `(ms|us|ns|MiB|MB/s)`
	return regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(strings.TrimSpace(what)) + ` +(\| +` + number + ` ` + unit + ` ){3}\| +` + number +
		` \| ([0-9.]+ at (most|least): (held|OVER|UNDER)|adds [0-9.]+ at most: (held|OVER)|none)(; ` + number + ` times the floor)? \|$`)
}

func TestBenchPrintsEveryRow(t *testing.T) {
	cmd, _ := benchCommand(t, "-rounds", "1", "-starts", "10", "-crowd", "3")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, what := range []string{
		"create ", "start ", "state ", "exec ", "kill ", "delete ", "run, the same tightened spec", "run, Docker's spec, plain against restricted", "run, no network rules against a hook's",
		"run, Docker's spec, without network rules", "run, Docker's spec, complain mode", "a Go program that only execs, with a runtime that does nothing", "10 starts, 2 at a time, each", "create, with a runtime that does nothing", "exec, with a runtime that does nothing",
		"state, with a runtime that does nothing", "delete, with a runtime that does nothing", "peak memory of create, each by itself", "size of the program",
		"start, without network rules and with", "create, 100 network rules", "start, 100 network rules", "create of a 2 MiB spec", "create of a 2 MiB spec, with a runtime that does nothing",
		"run with a user namespace, beside 3 containers", "create, few records and 3, with a runtime that does nothing",
		"getppid, no filter against restricted", "openat and close, Docker's filter against restricted", "socket and close, Docker's filter against restricted",
		"TCP stream, no firewall against restricted", "TCP round trip, no firewall against restricted",
		"look-up of a name, no firewall against names", "TCP stream, no firewall against names", "TCP round trip, no firewall against names",
	} {
		if !benchRow(what).Match(out) {
			t.Errorf("no row %q in\n%s", what, out)
		}
	}
}

// What containers pay for the watch: docs/watch.md has the figures.
func TestBenchPrintsTheWatch(t *testing.T) {
	cmd, _ := benchCommand(t, "-only-watch", "-rounds", "1", "-hatchctl", tested.hatchctl, "-servers", cached(t, "servers-*.tar"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, what := range []string{"nginx and its client", "redis and its client", "getppid in a container"} {
		for _, how := range []string{"--no-calls", "all"} {
			if row := what + ", no watch against " + how; !benchRow(row).Match(out) {
				t.Errorf("no row %q in\n%s", row, out)
			}
		}
	}
}

// Of the peers Podman is there wherever the tests run.
func TestBenchPrintsPeers(t *testing.T) {
	podman, err := exec.LookPath("podman")
	must(t, err)
	cmd, _ := benchCommand(t, "-rounds", "1", "-podman", podman)
	cmd.Env = append(cmd.Env, "TMPDIR=/tmp") // Podman takes no long path
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, what := range []string{"run, runc against restricted", "podman run, its defaults against restricted"} {
		if !benchRow(what).Match(out) {
			t.Errorf("no row %q in\n%s", what, out)
		}
	}
	if left, _ := filepath.Glob("/sys/fs/cgroup/*/hatchdog-bench-*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestBenchCleansUpWhenInterrupted(t *testing.T) {
	cmd, tmp := benchCommand(t, "-rounds", "100000")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	groups := "/sys/fs/cgroup/*/hatchdog-bench-*"
	for range 200 {
		if found, _ := filepath.Glob(groups); len(found) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	must(t, cmd.Process.Signal(unix.SIGINT))
	if err := cmd.Wait(); err == nil || !bytes.Contains(out.Bytes(), []byte("interrupted")) {
		t.Errorf("%v: %s", err, out.String())
	}
	for _, pattern := range []string{groups, "/sys/fs/cgroup/hatchdog-bench-*", tmp + "/*"} {
		if left, _ := filepath.Glob(pattern); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

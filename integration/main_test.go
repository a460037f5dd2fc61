// Package integration holds the tests against real low-level runtimes and
// engines. They need root, and start whatever they talk to themselves.
package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tested are the programs under test, built once.
var tested struct{ dir, hatchdog, faulty, hatchctl string }

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "the integration tests run as root")
		return 1
	}
	dir, err := os.MkdirTemp("", "hatchdog-it-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := buildTested(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	before, files := hostState(), hostFiles()
	code := m.Run()
	stopEngines()
	if left := leftovers(before, hostState(), dir); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "left on the host:\n  "+strings.Join(left, "\n  "))
		code = 1
	}
	if other := changed(files, hostFiles()); len(other) > 0 {
		fmt.Fprintln(os.Stderr, "changed on the host:\n  "+strings.Join(other, "\n  "))
		code = 1
	}
	return code
}

func buildTested(dir string) error {
	tested.dir = dir
	tested.hatchdog = filepath.Join(dir, "bin", "hatchdog")
	tested.faulty = filepath.Join(dir, "faulty", "hatchdog")
	tested.hatchctl = filepath.Join(dir, "bin", "hatchctl")
	if built := os.Getenv("HATCHDOG_TESTED"); built != "" { // in a guest without Go
		return copyTested(built, dir)
	}
	for _, b := range [][]string{
		{"-o", filepath.Join(dir, "bin", "asks64"), "./asks"},
		{"GOARCH=386", "-o", filepath.Join(dir, "bin", "asks32"), "./asks"},
		{"-o", tested.hatchdog, "../cmd/hatchdog"},
		{"-tags", "hatchdog_fault", "-o", tested.faulty, "../cmd/hatchdog"},
		{"-o", tested.hatchctl, "../cmd/hatchctl"},
		{"-o", filepath.Join(dir, "bin", "curious"), "./curious"},
		{"-o", filepath.Join(dir, "bin", "reach"), "./reach"},
		{"-o", filepath.Join(dir, "bin", "prevented"), "./prevented"},
	} {
		env := append(os.Environ(), "CGO_ENABLED=0")
		if strings.HasPrefix(b[0], "GOARCH=") {
			env, b = append(env, b[0]), b[1:]
		}
		cmd := exec.Command("go", append([]string{"build"}, b...)...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build %v: %w\n%s", b, err, out)
		}
	}
	return nil
}

// copyTested takes programs that were built elsewhere.
func copyTested(built, dir string) error {
	for _, sub := range []string{"bin", "faulty"} {
		if err := os.CopyFS(filepath.Join(dir, sub), os.DirFS(filepath.Join(built, sub))); err != nil {
			return fmt.Errorf("copy the programs under test: %w", err)
		}
	}
	return nil
}

// hostState is what a test could leave behind: mounts, network namespaces,
// control groups.
func hostState() []string {
	var all []string
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 4 {
			all = append(all, "mount "+f[4])
		}
	}
	for _, pattern := range []string{"/run/netns/*", "/var/run/docker/netns/*", "/sys/fs/cgroup/*/*", "/sys/fs/cgroup/*/docker/*", "/sys/fs/cgroup/*/k8s.io/*", "/sys/class/net/*"} {
		found, _ := filepath.Glob(pattern)
		for _, f := range found {
			if info, err := os.Lstat(f); err == nil && (info.IsDir() || strings.Contains(f, "netns") || strings.Contains(f, "/net/")) {
				all = append(all, f)
			}
		}
	}
	return all
}

// leftovers is what is there now and was not, and processes of the tests.
func leftovers(before, now []string, dir string) []string {
	var left []string
	for _, n := range now {
		if !slices.Contains(before, n) && !strings.HasSuffix(n, "/docker") && !strings.HasSuffix(n, "/k8s.io") && !strings.HasSuffix(n, "/default") {
			left = append(left, n)
		}
	}
	cmdlines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range cmdlines {
		if data, err := os.ReadFile(c); err == nil && strings.Contains(string(data), dir) {
			left = append(left, c+": "+strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return left
}

// cached is a file that the set-up made.
func cached(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv("HATCHDOG_CACHE"), pattern))
	if err != nil || len(found) == 0 || os.Getenv("HATCHDOG_CACHE") == "" {
		t.Fatalf("no %s: run the tests with 'make integration'", pattern)
	}
	return found[len(found)-1]
}

func pinnedRunc(t *testing.T) string { return cached(t, "runc-*/runc") }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command and returns what it printed, and its exit code.
func run(t *testing.T, name string, args ...string) (string, int) {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err == nil {
		return string(out), 0
	}
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as os/exec returns it
		return string(out), exit.ExitCode()
	}
	t.Fatalf("%s: %v", name, err)
	return "", 0
}

// mustRun runs a command that must succeed.
func mustRun(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, code := run(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s", name, strings.Join(args, " "), code, out)
	}
	return out
}

// Package retest is for tests: it runs one again in namespaces of its own, makes
// a network namespace for one, and says what becomes of one that needs root.
//
// Guarantees: where HATCHDOG_REQUIRE lists root, a test that lacks it fails.
// Does not cover: which namespaces a test needs; each names its own.
// Requires: root, for all but NeedRoot.
// Spec fields touched: none.
package retest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// inner names the test that a process was started for.
const inner = "HATCHDOG_INNER"

// Inside reports whether this process was started by Command for the test.
func Inside(t testing.TB) bool { return os.Getenv(inner) == t.Name() }

// NeedRoot ends a test without root: as failed where the tests are to have it,
// as skipped anywhere else. why goes on from "needs root to".
func NeedRoot(tb testing.TB, why string) {
	tb.Helper()
	switch {
	case os.Geteuid() == 0:
	case slices.Contains(strings.Split(os.Getenv("HATCHDOG_REQUIRE"), ","), "root"):
		tb.Fatal("needs root to " + why)
	default:
		tb.Skip("needs root to " + why)
	}
}

// Command is this program, to run the test again with attr and further flags of
// the tests.
func Command(t testing.TB, attr *syscall.SysProcAttr, flags ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append([]string{"-test.run", "^" + t.Name() + "$", "-test.v"}, flags...)...)
	cmd.Env = append(os.Environ(), inner+"="+t.Name())
	cmd.SysProcAttr = attr
	return cmd
}

// Run runs the test again with attr. It is true in the process that it starts,
// and false, when that has passed, in the one that started it.
func Run(t testing.TB, attr *syscall.SysProcAttr, why string) bool {
	t.Helper()
	if Inside(t) {
		return true
	}
	NeedRoot(t, why)
	if out, err := Command(t, attr).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// Mounts runs the test again in a mount namespace of its own.
func Mounts(t testing.TB) bool {
	t.Helper()
	return Run(t, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}, "make mounts")
}

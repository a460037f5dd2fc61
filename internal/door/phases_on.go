//go:build hatchdog_phases && !hatchdog_fault

package door

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// passed are the steps that this process has passed, in the words of a line
// each: the step, the nanoseconds of the monotonic clock, the pages touched.
var passed []string //nolint:gochecknoglobals // of a build that only measures

// step notes the time and the pages that this process has touched, and writes
// all of them to the file that HATCHDOG_PHASES names before the hand-over. What
// was allocated it writes to the file that HATCHDOG_ALLOCATIONS names, at each
// step anew: asking for it stops the process, and times are not noted then.
func step(name string) error {
	if file := os.Getenv("HATCHDOG_ALLOCATIONS"); file != "" {
		return allocated(file)
	}
	var now unix.Timespec
	var used unix.Rusage
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		return err
	}
	passed = append(passed, fmt.Sprintf("%s %d %d", name, now.Nano(), used.Minflt))
	if file := os.Getenv("HATCHDOG_PHASES"); name == "written" && file != "" {
		return os.WriteFile(file, []byte(strings.Join(passed, "\n")+"\n"), 0o600)
	}
	return nil
}

// allocated writes how many objects were allocated, how many bytes, and the most
// KiB that were resident (VmHWM, proc_pid_status(5)).
func allocated(file string) error {
	var all runtime.MemStats
	runtime.ReadMemStats(&all)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, most, _ := strings.Cut(string(status), "VmHWM:")
	most, _, _ = strings.Cut(strings.TrimSpace(most), " ")
	return os.WriteFile(file, fmt.Appendf(nil, "%d %d %s\n", all.Mallocs, all.TotalAlloc, most), 0o600)
}

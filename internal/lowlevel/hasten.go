package lowlevel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cgroupMount is where control groups are mounted (file-hierarchy(7), runc's own
// place for them).
const cgroupMount = "/sys/fs/cgroup"

// Hasten makes the kernel begin now with what the low-level runtime will wait
// for when it puts the container's first process into its control groups. The
// first such move after a while waits for an RCU grace period, some
// milliseconds, and those that follow soon do not (kernel/rcu/sync.c, which
// cgroup_threadgroup_rwsem is made of). The move here is that of a process to
// where it is: it changes nothing. It goes on beside the caller, in a process
// that an execve does not wait for; what fails costs time alone.
func Hasten() {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return
	}
	if procs := ownProcs(cgroupMount, string(own)); procs != "" {
		stay(procs)
	}
}

// ownProcs finds the list of processes of our own control group, in one
// hierarchy: they have one lock. own is /proc/self/cgroup, with lines of
// ID:CONTROLLERS:PATH. "" is none.
func ownProcs(mount, own string) string {
	unified := false
	if _, err := os.Lstat(filepath.Join(mount, "cgroup.procs")); err == nil {
		unified = true
	}
	for line := range strings.Lines(own) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 || unified != (fields[0] == "0") || !unified && fields[1] != "pids" {
			continue
		}
		if slices.Contains(strings.Split(fields[2], "/"), "..") {
			return "" // outside of what our control group namespace shows
		}
		return filepath.Join(mount, fields[1], fields[2], "cgroup.procs")
	}
	return ""
}

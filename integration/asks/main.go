// Command asks makes calls that a watch tells of, as a process of the host that is in
// a container's pid namespace. It is built for 32-bit programs too.
//
// usage: asks calls | asks time
package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "calls":
		err = calls()
	case len(os.Args) > 1 && os.Args[1] == "time":
		fmt.Printf("%.1f\n", least())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "asks:", err)
		os.Exit(1)
	}
}

// calls makes namespaces, so that nothing that it does is seen elsewhere.
func calls() error {
	runtime.LockOSThread() // never unlocked: the thread ends with its namespaces
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS); err != nil {
		return err
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("asked", "/tmp", "tmpfs", 0, ""); err != nil {
		return err
	}
	fd, err := unix.Open("/proc/sys/kernel/core_pattern", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// least is what a call takes that does next to nothing, in ns, in the fastest of some
// batches.
func least() float64 {
	const batches, each = 100, 2000
	best := time.Hour
	for range batches {
		begin := time.Now()
		for range each {
			_, _, _ = unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		}
		best = min(best, time.Since(begin))
	}
	return float64(best.Nanoseconds()) / each
}

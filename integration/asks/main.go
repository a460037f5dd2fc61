// Command asks makes calls that a watch tells of, as a process of the host that is in
// a container's pid namespace. It is built for 32-bit programs too.
//
// usage: asks calls | asks time | asks flood
package main

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
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
	case len(os.Args) > 1 && os.Args[1] == "flood":
		fmt.Printf("%.0f\n", flood())
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

// flood asks for a socket that is not there, and is how often in a second.
func flood() float64 {
	const lasts = 6 * time.Second
	to := &unix.SockaddrUnix{Name: "/no/such"}
	var all atomic.Int64
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			if err != nil {
				return
			}
			for end := time.Now().Add(lasts); time.Now().Before(end); {
				for range 1000 {
					_ = unix.Connect(fd, to)
				}
				all.Add(1000)
			}
		})
	}
	both.Wait()
	return float64(all.Load()) / lasts.Seconds()
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

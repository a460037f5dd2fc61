package resolver

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// span is a part of the address space.
type span struct{ from, to uintptr }

// programPages are where the program is mapped and cannot be written. They are
// read again from its file when they are used: the loop uses few of those that the
// start did.
func programPages() ([]span, error) {
	// Not by package os: Go's runtime would make what it waits on before the
	// descriptors are closed that are not ours.
	fd, err := unix.Open("/proc/self/maps", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var text []byte
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		text = append(text, buf[:n]...)
	}
	var all []span
	for line := range strings.Lines(string(text)) {
		// FROM-TO PERMISSIONS OFFSET DEVICE INODE PATH (proc_pid_maps(5))
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[4] == "0" || fields[1] != "r-xp" && fields[1] != "r--p" {
			continue
		}
		var s span
		if _, err := fmt.Sscanf(fields[0], "%x-%x", &s.from, &s.to); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// releaseEvery is how often they are given back while there is work.
const releaseEvery = 10 * time.Second

// release gives pages back.
func release(all []span) {
	for _, s := range all {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.from, s.to-s.from, unix.MADV_DONTNEED) // else they stay
	}
}

package prevent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var errNoRoot = errors.New("no mount is at /")

// root is the device of a process's root file system, as the kernel numbers it. It is
// that of the file system (proc_pid_mountinfo(5)): stat shows another where subvolumes
// have numbers of their own.
func (g Guard) root(pid int) (uint32, error) {
	text, err := os.ReadFile(filepath.Join(g.Proc, fmt.Sprint(pid), "mountinfo"))
	if err != nil {
		return 0, err
	}
	return rootOf(string(text))
}

// rootOf takes the last mount at /, which covers those before.
func rootOf(mounts string) (dev uint32, err error) {
	const number, at, least, minorBits = 2, 4, 5, 20
	err = errNoRoot
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < least || fields[at] != "/" {
			continue
		}
		var major, minor uint32
		if _, err = fmt.Sscanf(fields[number], "%d:%d", &major, &minor); err != nil {
			return 0, fmt.Errorf("mountinfo: %w", err)
		}
		dev = major<<minorBits | minor
	}
	return dev, err
}

// now is the time by the clock that file systems stamp changes with.
func now() (uint64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &t); err != nil {
		return 0, fmt.Errorf("the clock: %w", err)
	}
	return uint64(t.Nano()), nil //nolint:gosec // after 1970
}

package host

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where an open file is: its path and the mount that it lies on.
type place struct {
	path  string
	mount int
}

func placeOf(fd int) (place, error) {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		return place{}, err
	}
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, " (deleted)") {
		return place{}, fmt.Errorf("not a path of this mount namespace: %w", unix.ENOENT)
	}
	var stx unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &stx)
	if errors.Is(err, unix.EACCES) {
		// SELinux keeps the attributes of some files from the engine's domain. The
		// number of the mount is none of them.
		id, err := mountOf(fd)
		return place{path, id}, err
	}
	if err != nil {
		return place{}, fmt.Errorf("statx: %w", err)
	}
	if stx.Mask&unix.STATX_MNT_ID == 0 {
		return place{}, fmt.Errorf("statx: no mount id (kernel 5.8): %w", unix.ENOSYS)
	}
	return place{path, int(stx.Mnt_id)}, nil
}

// mountOf is the mount of an open file, as the descriptor has it: the same number
// as statx's (proc_pid_fdinfo(5)).
func mountOf(fd int) (int, error) {
	name := fmt.Sprintf("/proc/self/fdinfo/%d", fd)
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strconv.Atoi(strings.TrimSpace(id))
		}
	}
	return 0, fmt.Errorf("%s: no mnt_id: %w", name, unix.ENOSYS)
}

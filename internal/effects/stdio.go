package effects

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/host"
)

// owner is who a file belonged to.
type owner struct{ fd, uid, gid int }

// giveStdio gives the standard streams to the container's root, who would not
// be let into a pipe of the host's root by /dev/stderr.
func (w *work) giveStdio(a *Acquired) error {
	given, err := GiveStdio(w.IDs)
	a.stdio = given
	return err
}

// GiveStdio gives standard streams that are anonymous, pipes and sockets, to the
// root of the range. A terminal or a file is somebody's own.
func GiveStdio(ids host.IDRange) ([]owner, error) {
	var given []owner
	for fd := range 3 {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue // closed
		}
		var fs unix.Statfs_t
		if st.Uid != 0 || unix.Fstatfs(fd, &fs) != nil || fs.Type != unix.PIPEFS_MAGIC && fs.Type != unix.SOCKFS_MAGIC {
			continue
		}
		if err := unix.Fchown(fd, int(ids.Base), int(ids.Base)); err != nil {
			return given, fmt.Errorf("standard stream %d: %w", fd, err)
		}
		given = append(given, owner{fd, int(st.Uid), int(st.Gid)})
	}
	return given, nil
}

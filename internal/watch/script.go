package watch

import (
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/probe"
)

// script finds the file of a script, which the kernel does not tell of: it tells of
// its interpreter. It is looked up by the name that it was executed by, below the
// container's root.
func (c *Container) script(s probe.Sight) (probe.File, bool) {
	base, name := fmt.Sprintf("/proc/%d/root", c.Init.Pid), s.Path
	if !strings.HasPrefix(name, "/") {
		base = fmt.Sprintf("/proc/%d/cwd", s.Pid)
	}
	dir, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return probe.File{}, false
	}
	defer unix.Close(dir)
	resolve := uint64(unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		return probe.File{}, false
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	var of unix.Statfs_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st) != nil || unix.Fstatfs(fd, &of) != nil || !c.Init.Alive() {
		return probe.File{}, false
	}
	f := probe.File{
		Name: path.Base(name), Ino: st.Ino, Dev: st.Dev_major<<majorShift | st.Dev_minor, Magic: uint64(of.Type), Links: st.Nlink, //nolint:gosec // as the kernel has it
		Changed: time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)), MountID: int(st.Mnt_id), //nolint:gosec // small
	}
	// Nobody tells which layer of an overlay it is in: one that was changed is in
	// the upper.
	f.Upper = f.Magic == magicOverlay && f.Changed.After(c.Began)
	return f, true
}

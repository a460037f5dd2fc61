package watch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/probe"
)

// pathKept is how much of a name the kernel tells, without its end.
const pathKept = 119

// scriptOrigin is where a script is from. One that is gone, or that is none
// of the files of the container, is not of the image.
func (c *Container) scriptOrigin(s *probe.Sight) (Severity, string) {
	if len(s.Path) >= pathKept {
		whole, ok := wholeName(s.Pid, s.Path)
		if s.Path = whole; !ok {
			return Medium, "a script that was gone before its long name was read"
		}
	}
	file, err := c.script(*s)
	gone := errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR)
	switch {
	case err == nil:
		s.File = file
		return c.origin(file)
	case gone && strings.HasPrefix(s.Path, "/") && s.Mount == c.Spaces["mnt"] && s.RootIno == c.Root.Ino && s.RootDev == c.Root.Dev && c.Init.Alive():
		return High, "a script that is gone, or in memory alone"
	}
	return "", ""
}

// wholeName finds a name of which the kernel told the beginning: it is an argument of
// the interpreter.
func wholeName(pid int, begin string) (string, bool) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return begin, false
	}
	defer f.Close()
	const most = 16 << 10
	data, _ := io.ReadAll(io.LimitReader(f, most)) // what was read is looked at
	for arg := range bytes.SplitSeq(data, []byte{0}) {
		if len(arg) < unix.PathMax && strings.HasPrefix(string(arg), begin) {
			return string(arg), true
		}
	}
	return begin, false
}

// script finds the file of a script, which the kernel does not tell of: it tells of
// its interpreter. It is looked up by the name that it was executed by, below the
// container's root.
func (c *Container) script(s probe.Sight) (probe.File, error) {
	base, name := fmt.Sprintf("/proc/%d/root", c.Init.Pid), s.Path
	if !strings.HasPrefix(name, "/") {
		base = fmt.Sprintf("/proc/%d/cwd", s.Pid)
	}
	dir, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return probe.File{}, err
	}
	defer unix.Close(dir)
	resolve := uint64(unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: resolve})
	if err != nil {
		return probe.File{}, err
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	var of unix.Statfs_t
	if unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st) != nil || unix.Fstatfs(fd, &of) != nil || !c.Init.Alive() {
		return probe.File{}, errLeft
	}
	f := probe.File{
		Name: path.Base(name), Ino: st.Ino, Dev: st.Dev_major<<majorShift | st.Dev_minor, Magic: uint64(of.Type), Links: st.Nlink, //nolint:gosec // as the kernel has it
		Changed: time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)), MountID: int(st.Mnt_id), //nolint:gosec // small
	}
	// Nobody tells which layer of an overlay it is in: one that was changed is in
	// the upper.
	f.Upper = f.Magic == magicOverlay && f.Changed.After(c.Began)
	return f, nil
}

package watch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// rootPlace reads what files of a container are held against.
func rootPlace(pid int, began time.Time) (place, error) {
	p := place{began: began}
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return p, err
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		return p, err
	}
	m, ok, err := mountOf(pid, st.Mnt_id)
	if err == nil && !ok {
		err = errLeft
	}
	if err != nil {
		return p, err
	}
	p.dev, p.layer = m.dev, m.kind == "overlay"
	if p.layer {
		if st.Mask&unix.STATX_BTIME == 0 {
			return p, errNoBirth
		}
		p.born = time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
	}
	return p, nil
}

// statx asks for what a file is held by, without asking the server of a file system.
func statx(fd int, st *unix.Statx_t) error {
	const want = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID | unix.STATX_BTIME
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, want, st); err != nil {
		return err
	}
	if st.Mask&unix.STATX_MNT_ID == 0 {
		return errNoMountID
	}
	return nil
}

// judge says why a file is not the image's; "" where it is, or where nobody can have
// written it since the container began. pid is the process that executes it, first the
// container's first.
//
// All that is in the layer that a container writes to was changed since that layer was
// made: a process cannot choose a file's time of change.
func (p place) judge(fd, pid, first int) (string, error) {
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		return "", err
	}
	m, ok, err := mountOf(pid, st.Mnt_id)
	if !ok {
		m, ok, err = mountOf(first, st.Mnt_id)
	}
	if err != nil {
		return "", err
	}
	changed := time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec))
	return p.verdict(m, ok, changed), nil
}

// verdict judges what was changed at a time, on a mount that the container sees.
func (p place) verdict(m marked, seen bool, changed time.Time) string {
	switch {
	case !seen:
		return "it is on a mount that the container does not see"
	case p.layer && m.dev == p.dev:
		if changed.Before(p.born) {
			return ""
		}
		return "it is in the layer that the container writes to"
	case m.memory():
		return "it is in the file system in memory at " + word(m.at)
	case m.answered():
		return "a program answers for the file system at " + word(m.at) + ", and says when files were changed"
	case !m.readOnly:
		return "it is on a mount that can be written, at " + word(m.at)
	case !changed.Before(p.began):
		return "it came to the volume at " + word(m.at) + " after the container began, or was changed since"
	}
	return ""
}

// marked is a mount as proc_pid_mountinfo(5) has it.
type marked struct {
	id            uint64
	dev, at, kind string
	readOnly      bool
}

func (m marked) memory() bool {
	return m.kind == "tmpfs" || m.kind == "ramfs" || m.kind == "hugetlbfs" || m.kind == "devtmpfs"
}

// answered is true for file systems in userspace (FUSE): the program behind one gives
// files whatever time of change it likes, and may be a container's.
func (m marked) answered() bool {
	return m.kind == "fuse" || m.kind == "fuseblk" || strings.HasPrefix(m.kind, "fuse.") || strings.HasPrefix(m.kind, "fuseblk.")
}

// kernels is true for file systems of the kernel, which hold no programs.
func (m marked) kernels() bool {
	switch m.kind {
	case "proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "securityfs", "bpf", "tracefs", "debugfs", "nsfs":
		return true
	}
	return false
}

func mountsOf(pid int) ([]marked, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil, err
	}
	var all []marked
	for line := range strings.Lines(string(text)) {
		if m, ok := parseMarked(line); ok {
			all = append(all, m)
		}
	}
	return all, nil
}

func parseMarked(line string) (marked, bool) {
	const number, device, at, options, least = 0, 2, 4, 5, 6
	before, after, ok := strings.Cut(line, " - ")
	fields, types := strings.Fields(before), strings.Fields(after)
	if !ok || len(fields) < least || len(types) < 1 {
		return marked{}, false
	}
	id, err := strconv.ParseUint(fields[number], 10, 64)
	// The file system itself may be read-only, where the mount is not.
	ro := strings.HasPrefix(fields[options]+",", "ro,") || strings.HasPrefix(types[len(types)-1]+",", "ro,")
	return marked{id, fields[device], fields[at], types[0], ro}, err == nil
}

func mountOf(pid int, id uint64) (marked, bool, error) {
	all, err := mountsOf(pid)
	for _, m := range all {
		if m.id == id {
			return m, true, nil
		}
	}
	return marked{}, false, err
}

// mark has the kernel ask for each mount that the container sees; for its root file
// system on whichever mount it is used, also one that a new mount namespace has.
func (h *Hold) mark() error {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", h.Init.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	all, err := mountsOf(h.Init.Pid)
	if err != nil {
		return err
	}
	var open []string
	for _, m := range all {
		if m.kernels() {
			continue
		}
		err := h.markOne(root, m)
		if err != nil && m.at == "/" {
			return fmt.Errorf("/: %w", err)
		}
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) { // another covers it
			open = append(open, word(unescape(m.at))+": "+err.Error())
		}
	}
	h.found(open)
	return nil
}

// markOne marks a mount. The container may have put a link in the place of a folder
// above it: what is marked is what was found at the path, when it is that mount.
func (h *Hold) markOne(root int, m marked) error {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(root, filepath.Clean("/"+unescape(m.at)), &how)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := statx(fd, &st); err != nil {
		return err
	}
	if st.Mnt_id != m.id {
		return nil // another covers it
	}
	flags := uint(unix.FAN_MARK_ADD | unix.FAN_MARK_MOUNT)
	if h.root.layer && m.dev == h.root.dev {
		flags = unix.FAN_MARK_ADD | unix.FAN_MARK_FILESYSTEM
	}
	err = unix.FanotifyMark(h.fd, flags, unix.FAN_OPEN_EXEC_PERM, unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd))
	if errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("fanotify: the kernel cannot ask before a program runs (5.0 and newer can): %w", err)
	}
	return err
}

// unescape undoes how mountinfo writes spaces and their like: a backslash and three
// octal digits.
func unescape(s string) string {
	const digits = 3
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+digits < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+1+digits], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += digits
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

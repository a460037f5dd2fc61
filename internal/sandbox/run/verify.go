package run

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

var errOther = errors.New("the box is not what was asked for: something changed the granted directories meanwhile")

// seen are the granted paths as they were when they were searched.
type seen map[string]unix.Stat_t

func look(b *sandbox.Box) (seen, error) {
	all := seen{}
	for _, g := range b.Grants {
		var st unix.Stat_t
		if err := unix.Lstat(b.Host(g.Path), &st); err != nil {
			return nil, fmt.Errorf("%s: %w", g.Path, err)
		}
		all[g.Path] = st
	}
	return all, nil
}

// verify looks into a box in which nothing runs yet: each granted path leads to
// what was searched, each hidden one to nothing, and each kept one to a mount
// that is read-only.
func verify(pid int, b *sandbox.Box, was seen) error {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	for path, want := range was {
		fd, err := within(root, path)
		if err != nil {
			return fmt.Errorf("%s: %w: %w", path, errOther, err)
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		_ = unix.Close(fd)
		if err != nil || st.Ino != want.Ino || st.Dev != want.Dev {
			return fmt.Errorf("%s: %w", path, errors.Join(errOther, err))
		}
	}
	for _, c := range b.Found.Hidden {
		if err := closed(root, c.Path, true); err != nil {
			return err
		}
	}
	for _, c := range b.Found.Kept {
		if err := closed(root, c.Path, false); err != nil {
			return err
		}
	}
	for _, a := range b.Found.Anchors {
		if err := mounted(root, a); err != nil {
			return err
		}
	}
	return nil
}

func within(root int, path string) (int, error) {
	return unix.Openat2(root, filepath.Join(".", path), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// closed reports a path that can be read although it is hidden, or written to.
func closed(root int, path string, hidden bool) error {
	fd, err := within(root, path)
	if errors.Is(err, unix.ENOENT) && hidden {
		return nil // it went meanwhile
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, errOther, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &fs)); err != nil {
		return err
	}
	ro := fs.Flags&unix.ST_RDONLY != 0
	null := st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
	empty := st.Mode&unix.S_IFMT == unix.S_IFDIR && fs.Type == unix.TMPFS_MAGIC && ro
	if hidden && !null && !empty || !hidden && !ro {
		return fmt.Errorf("%s: %w", path, errOther)
	}
	if hidden {
		return nil
	}
	return mounted(root, path)
}

// mounted reports a path that could be moved away.
func mounted(root int, path string) error {
	fd, err := within(root, path)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", path, errOther, err)
	}
	defer unix.Close(fd)
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, 0, &st); err != nil {
		return err
	}
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0 {
		return fmt.Errorf("%s: %w", path, errOther)
	}
	return nil
}

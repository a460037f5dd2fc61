package host

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxDepth is more directories than a path can name (PATH_MAX / 2).
const maxDepth = 2048

var errDeep = errors.New("it lies too deep")

// within are the identities of the directories that an open file lies in under
// each of its names, its own first, without the root of all. The way up from the file itself is the
// kernel's, which nobody can change meanwhile.
func within(fd int, path string, dir bool, names []string) ([]FileID, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	own := FileID{st.Dev, st.Ino}
	all := []FileID{own}
	at := fd
	if !dir {
		parent, err := parentOf(path, own)
		if err != nil {
			return nil, err
		}
		defer unix.Close(parent)
		at = parent
	}
	up, err := ancestors(at)
	if err != nil {
		return nil, err
	}
	if dir && len(up) > 0 {
		up = up[1:] // its own
	}
	all = append(all, up...)
	for _, name := range names {
		for p := name; p != "/" && p != "."; p = filepath.Dir(p) {
			var st unix.Stat_t
			if unix.Lstat(p, &st) == nil {
				all = append(all, FileID{st.Dev, st.Ino})
			}
		}
	}
	return all, nil
}

// parentOf opens the directory of a file, if the file is still there.
func parentOf(path string, id FileID) (int, error) {
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("its directory: %w", err)
	}
	var st unix.Stat_t
	err = unix.Fstatat(fd, filepath.Base(path), &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && (FileID{st.Dev, st.Ino}) != id {
		err = unix.ESTALE
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("its directory: %w", err)
	}
	return fd, nil
}

// ancestors are the identities of an open directory and of all above it, except for
// the last.
func ancestors(fd int) ([]FileID, error) {
	var all []FileID
	at := fd
	defer func() {
		if at != fd {
			_ = unix.Close(at)
		}
	}()
	for range maxDepth {
		var st unix.Stat_t
		if err := unix.Fstat(at, &st); err != nil {
			return nil, err
		}
		id := FileID{st.Dev, st.Ino}
		if n := len(all); n > 0 && all[n-1] == id {
			return all[:n-1], nil // the root's parent is itself
		}
		all = append(all, id)
		next, err := unix.Openat(at, "..", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("the directories above it: %w", err)
		}
		if at != fd {
			_ = unix.Close(at)
		}
		at = next
	}
	return nil, errDeep
}

// below are the mounts strictly below one of names: what a bind mount of it
// brings along. They come with the other names of what is mounted there, and its
// identities.
func (t *nameTable) below(names []string) (others []string, ids []FileID) {
	for _, m := range t.mounts {
		inside := func(name string) bool {
			return slices.ContainsFunc(names, func(dir string) bool {
				rest, ok := below(dir, name)
				return ok && rest != "."
			})
		}
		if !inside(m.Mountpoint) {
			continue
		}
		var stx unix.Statx_t
		// Nobody waits here for a server of files.
		if unix.Statx(unix.AT_FDCWD, m.Mountpoint, unix.AT_NO_AUTOMOUNT|unix.AT_SYMLINK_NOFOLLOW|unix.AT_STATX_DONT_SYNC, unix.STATX_INO, &stx) == nil {
			ids = append(ids, FileID{unix.Mkdev(stx.Dev_major, stx.Dev_minor), stx.Ino})
		}
		aliases, err := t.aliases(place{m.Mountpoint, m.ID})
		if err != nil {
			continue // it is not in the table any more
		}
		for _, name := range aliases {
			if !inside(name) && !slices.Contains(others, name) {
				others = append(others, name)
			}
		}
	}
	slices.Sort(others)
	slices.SortFunc(ids, func(a, b FileID) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return others, slices.Compact(ids)
}

package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/owner"
)

// readConfig follows a link: what is edited is the file. A missing one is nil.
// One that other users can change, or the way to it, is an error: they could
// have root read and write another file meanwhile.
func readConfig(path string) (string, []byte, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return path, nil, fmt.Errorf("%s: %w", path, errNowhere)
		}
		return path, nil, steadyPlace(path)
	}
	if err != nil {
		return path, nil, err
	}
	if !bundle.Steady(absolute(path)) {
		return path, nil, fmt.Errorf("%s: %w", path, errOthers)
	}
	fd, err := unix.Open(real, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return path, nil, &os.PathError{Op: "open", Path: real, Err: err}
	}
	f := os.NewFile(uintptr(fd), real)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return path, nil, &os.PathError{Op: "stat", Path: real, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return path, nil, fmt.Errorf("%s: not a regular file", path)
	}
	if !owner.Trusted(real, st.Uid) || st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != 0 {
		return path, nil, fmt.Errorf("%s: %w", path, errOthers)
	}
	data, err := io.ReadAll(f)
	if data == nil {
		data = []byte{}
	}
	return real, data, err
}

var errOthers = errors.New("other users can change it, or the way to it; give it and the folders that it is in to root, or run hatchctl as the user whose engine it is")

// errNowhere: whoever makes the file decides whose the edited one is.
var errNowhere = errors.New("a link to a file that is not there; make the file, or take the link away")

// steadyPlace looks at what there is of the way to a file that is not there.
func steadyPlace(path string) error {
	for dir := filepath.Dir(absolute(path)); ; dir = filepath.Dir(dir) {
		switch _, err := os.Lstat(dir); {
		case errors.Is(err, fs.ErrNotExist) && dir != "/":
			continue
		case err != nil:
			return err
		case !bundle.Steady(dir + "/."):
			return fmt.Errorf("%s: %w", path, errOthers)
		}
		return writableByOthers(dir)
	}
}

// writableByOthers looks at the folder itself, in which the file would be made.
func writableByOthers(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	if !owner.Trusted(dir, st.Uid) || st.Mode&0o002 != 0 || st.Mode&0o020 != 0 && st.Gid != 0 {
		return fmt.Errorf("%s: %w", dir, errOthers)
	}
	return nil
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path // not steady
	}
	return abs
}

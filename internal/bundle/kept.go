package bundle

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
)

// Errors of ReadKept.
var (
	errOthers = errors.New("others than root can write to it, or it is no file")
	errLarge  = errors.New("it is too large")
)

// ReadKept reads a file of most bytes at the most that nobody but root, and the
// user we are, can change or replace. Its last element is no link.
func ReadKept(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG, st.Mode&0o022 != 0, !owner.Trusted(path, st.Uid), !Steady(path):
		return nil, fmt.Errorf("%s: %w", path, errOthers)
	case st.Size > most:
		return nil, fmt.Errorf("%s: %w", path, errLarge)
	}
	data := make([]byte, st.Size)
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data[:n], nil
}

package bundle

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/owner"
)

var errOthers = errors.New("others than root can write to it")

// ReadKept reads a file that nobody but root, and the user we are, can change or
// replace, under the rules of Open. It is closer than ReadFile: no group may write
// to the file, and nobody else say what its path leads to.
func ReadKept(path string) ([]byte, error) {
	raw, st, err := readAt(unix.AT_FDCWD, path, unenclosed)
	if err == nil && (st.Mode&0o022 != 0 || !owner.Trusted(path, st.Uid) || !Steady(path)) {
		err = errOthers
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, nil
}

package idrange

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// state is the content of the file: itself as a line of JSON, and a line for
// each range.
type state struct {
	Boot string `json:"boot"` // of the boot that it was written in
	// Lost is true where a file of this boot could not be read: who holds what
	// must then be told from the processes alone.
	Lost bool `json:"lost,omitempty"`
	// Swept is how many ranges were held when the dead were last looked for.
	Swept int `json:"swept,omitempty"`

	Ranges []Range `json:"-"`
}

var errForeign = errors.New("not a file that only its owner writes")

// read reads the file. A file that another boot wrote is void: no process outlived
// it. A file that cannot be read is lost, not void.
func (s Store) read() (*state, error) {
	boot := bootID(s.Files)
	fresh := &state{Boot: boot}
	f, err := os.OpenFile(s.file(), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// Removed by hand, perhaps, while containers run.
		fresh.Lost = true
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ids: %w", err)
	}
	defer f.Close()
	var info unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &info); err != nil {
		return nil, fmt.Errorf("ids: %w", err)
	}
	if int(info.Uid) != os.Geteuid() || info.Mode&0o022 != 0 || info.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("ids: %s: %w", s.file(), errForeign)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("ids: %w", err)
	}
	st, err := parse(data)
	if err != nil {
		fresh.Lost = true
		return fresh, nil //nolint:nilerr // it is told from the processes
	}
	if st.Boot != boot {
		return fresh, nil
	}
	return st, nil
}

// write replaces the file as a whole. A crash of the machine ends the boot, and
// with it what the file is good for: there is no fsync.
func (s Store) write(st *state) error {
	data, err := st.encode()
	if err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	tmp := s.file() + ".new"
	_ = os.Remove(tmp) // of a process that was killed; the lock is ours
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("ids: %w", err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp, s.file())
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("ids: %w", err)
	}
	return nil
}

func bootID(root string) string {
	data, err := os.ReadFile(filepath.Join("/", root, "proc/sys/kernel/random/boot_id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Package layer keeps what a command changes in a copy of a directory, until
// somebody has looked at it.
//
// Guarantees: the directory itself is not written to before Apply; every change
// is found, whatever times the command gives its files (the kernel's ctime
// decides); Apply writes below the directory alone, follows no link that the
// command or anybody planted, and writes nothing where one path is not as it was
// when the copy was made.
// Does not cover: extended attributes, hard links (each name is a file of its
// own), devices, sockets and FIFOs, which are not copied; changes that somebody
// makes while Apply works, of which the last one stays.
// Requires: openat2(2), kernel 5.6. A file system with reflinks (btrfs, xfs) shares
// the data; on others the copy takes as much room as the directory.
// Spec fields touched: none.
package layer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Bounds of one copy.
const (
	maxEntries = 500_000
	maxBytes   = 4 << 30
)

// Errors.
var (
	ErrTooLarge = errors.New("more than 500,000 files or 4 GiB: grant a smaller directory")
	ErrNone     = errors.New("no changes wait under that name")
)

// state is what tells whether a file is still the one that it was.
type state struct {
	Dev   uint64 `json:"d"`
	Ino   uint64 `json:"i"`
	Ctime int64  `json:"c"` // nanoseconds
	Mode  uint32 `json:"m"`
	Size  int64  `json:"s"`
}

// entry is one path when the copy was made.
type entry struct {
	Name []byte `json:"n"` // below the directory; any bytes
	From state  `json:"f"` // in the directory
	Copy state  `json:"y"` // in the copy
}

// Layer is the copy of one directory.
type Layer struct {
	Dir     string  `json:"dir"`  // that was copied
	Name    string  `json:"name"` // of the run
	Entries []entry `json:"entries"`

	at string // where the layer is kept
}

// Tree is the copy.
func (l *Layer) Tree() string { return filepath.Join(l.at, "tree") }

func stateOf(st *unix.Stat_t) state {
	return state{uint64(st.Dev), st.Ino, st.Ctim.Nano(), st.Mode, st.Size}
}

func kind(mode uint32) uint32 { return mode & unix.S_IFMT }

// save writes down what was copied.
func (l *Layer) save() error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.at, "layer.json"), data, 0o600)
}

// Open reads the layers of a run.
func Open(base, name string) ([]*Layer, error) {
	if name == "" || filepath.Base(name) != name || name[0] == '.' {
		return nil, fmt.Errorf("%q: %w", name, ErrNone)
	}
	found, err := filepath.Glob(filepath.Join(base, name, "*", "layer.json"))
	if err != nil || len(found) == 0 {
		return nil, fmt.Errorf("%s: %w", name, ErrNone)
	}
	var all []*Layer
	for _, f := range found {
		data, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		l := &Layer{at: filepath.Dir(f)}
		if err := json.Unmarshal(data, l); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		all = append(all, l)
	}
	return all, nil
}

// Discard takes the layers of a run away.
func Discard(base, name string) error {
	if _, err := Open(base, name); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(base, name))
}

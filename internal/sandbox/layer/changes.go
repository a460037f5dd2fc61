package layer

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/sandbox"
)

// The three things that can become of a path.
const (
	Added    = "added"
	Modified = "modified"
	Removed  = "removed"
)

// Change is what the command did to one path.
type Change struct {
	Path string `json:"path"` // below the directory
	What string `json:"what"`
	Kind string `json:"kind"`         // file, directory, link
	To   string `json:"to,omitempty"` // of a link
	// Marked says why somebody should look twice: the host runs or believes it,
	// or it leads out of the directory.
	Marked string `json:"marked,omitempty"`

	was *entry // nil where it was added
}

// Changes compares the copy with what it was. The order is that of a walk: a
// directory before what is in it.
func (l *Layer) Changes() ([]Change, error) {
	known := map[string]*entry{}
	for i := range l.Entries {
		known[string(l.Entries[i].Name)] = &l.Entries[i]
	}
	root, err := os.OpenRoot(l.Tree())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var all []Change
	delete(known, ".")
	err = sandbox.Walk(root, func(name string, _ fs.DirEntry) error {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(l.Tree(), name), &st); err != nil {
			return err
		}
		was := known[name]
		delete(known, name)
		if c := compare(name, was, &st); c != nil {
			same, err := l.describe(root, c)
			if err != nil {
				return err
			}
			if !same {
				all = append(all, *c)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range l.Entries { // in their order
		if e, gone := known[string(l.Entries[i].Name)]; gone {
			all = append(all, Change{Path: string(e.Name), What: Removed, Kind: word(e.From.Mode), was: e})
		}
	}
	return all, nil
}

// compare says what became of a path. A directory is what is in it, and its mode.
func compare(name string, was *entry, st *unix.Stat_t) *Change {
	now := stateOf(st)
	switch {
	case word(now.Mode) == "":
		return nil // nothing that is applied
	case was == nil:
		return &Change{Path: name, What: Added, Kind: word(now.Mode)}
	case was.Copy == now, kind(was.Copy.Mode) == unix.S_IFDIR && was.Copy.Mode == now.Mode:
		return nil
	}
	return &Change{Path: name, What: Modified, Kind: word(now.Mode), was: was}
}

func word(mode uint32) string {
	switch kind(mode) {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "link"
	}
	return ""
}

// describe reads what a link leads to and marks what asks for it. same is true
// where the file was written anew and is what it was.
func (l *Layer) describe(root *os.Root, c *Change) (same bool, err error) {
	c.Marked = cmp.Or(sandbox.Runs(filepath.Join(l.Dir, c.Path)), sandbox.Believed(root, c.Path))
	if path.Base(c.Path) == ".git" && c.Kind != "directory" {
		c.Marked = "it names a repository, whose settings git believes"
	}
	if c.Kind == "link" {
		if c.To, err = root.Readlink(c.Path); err != nil {
			return false, err
		}
		if path.IsAbs(c.To) || strings.HasPrefix(path.Join(path.Dir(c.Path), c.To)+"/", "../") {
			c.Marked = strings.Trim(c.Marked+"; it leads out of the directory", "; ")
		}
		return false, nil
	}
	if c.Kind != "file" || c.was == nil || word(c.was.From.Mode) != "file" || c.was.From.Mode&0o777 != modeOf(root, c.Path)&0o777 {
		return false, nil
	}
	before, after, err := l.both(root, c)
	if err != nil {
		return false, err
	}
	defer before.Close()
	defer after.Close()
	return equal(before, after)
}

func modeOf(root *os.Root, name string) uint32 {
	info, err := root.Lstat(name)
	if err != nil {
		return 0
	}
	return uint32(info.Mode().Perm())
}

// both opens a file as it is in the directory, and in the copy. It opens nothing of
// the directory that was not copied: a file there may be hidden from the command, and
// from who asks what it changed.
func (l *Layer) both(root *os.Root, c *Change) (before, after *os.File, err error) {
	dir, err := os.OpenRoot(l.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	const how = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	if after, err = root.OpenFile(c.Path, how, 0); err != nil {
		return nil, nil, err
	}
	if c.was != nil && word(c.was.From.Mode) == "file" {
		if before, err = dir.OpenFile(c.Path, how, 0); err == nil {
			if info, serr := before.Stat(); serr == nil && info.Mode().IsRegular() {
				return before, after, nil
			}
			before.Close()
		}
	}
	before, err = os.Open(os.DevNull) // there was no such file
	return before, after, err
}

func equal(a, b io.Reader) (bool, error) {
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return false, nil
		}
		if ended(err) && ended(err2) {
			return true, nil
		}
		if err != nil || err2 != nil {
			return false, errors.Join(err, err2)
		}
	}
}

func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

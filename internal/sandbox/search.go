package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Bounds of one search. Beyond them nothing is started: what was not looked at
// is not shown.
const (
	maxEntries = 1_000_000
	maxClosed  = 2000
	lookInto   = 64 << 10 // bytes of a file whose content decides
)

// Closed is a path of a granted directory that the command does not see, or may
// not write to.
type Closed struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	// Missing is true where a stand-in has to be made; Dir tells which, Text what is
	// in it.
	Missing bool   `json:"missing,omitempty"`
	Dir     bool   `json:"dir,omitempty"`
	Text    string `json:"text,omitempty"`
}

// Found is what was found in the granted directories.
type Found struct {
	Hidden []Closed
	Kept   []Closed
	// Anchors are directories that can be written to and lead to a kept path:
	// mounted on themselves, so that they cannot be moved away and replaced.
	Anchors []string
	Entries int // that were looked at
}

// Errors of a search.
var (
	ErrTooMany = errors.New("too much to search for what must not be seen; grant a smaller directory")
	ErrLink    = errors.New("it could be replaced: it is a symbolic link, or has another name (a hard link)")
)

// Search looks through the grants. homes are the home directories of the host.
func (b *Box) Search(homes []string) error {
	s := search{box: b, homes: homes}
	if b.Before != nil {
		was := *b
		was.Grants, was.Before = b.Before, nil
		if err := was.Search(homes); err != nil {
			return err
		}
		s.found = b.stillClosed(was.Found)
		for _, g := range b.Grants {
			if slices.ContainsFunc(s.found.Hidden, func(c Closed) bool { return below(c.Path, g.Path) }) {
				return fmt.Errorf("%s is hidden: %w", g.Path, ErrWidens)
			}
		}
	}
	for _, g := range b.Grants {
		if err := s.grant(g); err != nil {
			return fmt.Errorf("%s: %w", g.Path, err)
		}
	}
	byPath := func(x, y Closed) int { return strings.Compare(x.Path, y.Path) }
	same := func(x, y Closed) bool { return x.Path == y.Path }
	slices.SortFunc(s.found.Kept, byPath)
	slices.SortStableFunc(s.found.Hidden, byPath)
	s.found.Kept, s.found.Hidden = slices.CompactFunc(s.found.Kept, same), slices.CompactFunc(s.found.Hidden, same)
	slices.Sort(s.found.Anchors)
	s.found.Anchors = slices.Compact(s.found.Anchors)
	b.Found = s.found
	return nil
}

// stillClosed is what was closed in the grants before they were narrowed, as far
// as the command could reach it now.
func (b *Box) stillClosed(was Found) Found {
	locked := func(p string) bool {
		g := b.granted(p)
		return g == nil || !g.Write
	}
	was.Kept = slices.DeleteFunc(was.Kept, func(c Closed) bool { return locked(c.Path) })
	was.Anchors = slices.DeleteFunc(was.Anchors, func(a string) bool { return locked(a) || b.granted(a).Path == a })
	return was
}

type search struct {
	box          *Box
	homes        []string
	found        Found
	repositories []string // that were kept
}

func (s *search) grant(g Grant) error {
	if !g.Dir {
		return nil // it was named
	}
	root, err := os.OpenRoot(g.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	if s.box.writes(g) {
		if err := s.keep(root, g, "."); err != nil {
			return err
		}
	}
	return Walk(root, func(name string, d fs.DirEntry) error { return s.entry(root, g, name, d) })
}

// entry looks at one name.
func (s *search) entry(root *os.Root, g Grant, name string, d fs.DirEntry) error {
	if s.found.Entries++; s.found.Entries > maxEntries || len(s.found.Hidden)+len(s.found.Kept) > maxClosed {
		return ErrTooMany
	}
	full := filepath.Join(g.Path, name)
	if in := s.box.granted(full); in.Path != g.Path {
		return skip(d) // it was named, and is looked through by itself
	}
	if reason := s.hides(root, full, name, d); reason != "" {
		if err := s.hide(full, reason, d); err != nil {
			return err
		}
		return skip(d)
	}
	if s.box.writes(g) {
		if err := s.keepAt(root, g, name, d); err != nil {
			return err
		}
	}
	if strings.HasSuffix("/"+name, "/.git/objects") {
		return skip(d) // named by their content alone
	}
	return nil
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (s *search) hides(root *os.Root, full, name string, d fs.DirEntry) string {
	if d.Type()&fs.ModeSocket != 0 {
		return "a socket of the host: whoever can talk to it can have a service of the host act for them"
	}
	if slices.Contains(s.box.Own, full) {
		return "hatchdog's own state"
	}
	if reason := Hidden(full); reason != "" {
		return reason
	}
	if slices.ContainsFunc(s.box.Hide, func(p Pattern) bool { return p.Matches(full) }) {
		return "the repository hides it"
	}
	if d.Type().IsRegular() && lookedInto(d.Name()) && holdsKey(root, name) {
		return "a private key"
	}
	if d.Type().IsRegular() && d.Name() == "config" && strings.HasSuffix("/"+name, ".git/config") && holdsToken(root, name) {
		return "git's settings, with a password in them"
	}
	return ""
}

// hide closes a path, and what it leads to where it is a link.
func (s *search) hide(full, reason string, d fs.DirEntry) error {
	if inner := s.box.InnerOf(full); inner != "" {
		return fmt.Errorf("%s is hidden (%s), and %s in it was granted: %w; grant %s itself", full, reason, inner, ErrGrant, full)
	}
	if d.Type()&fs.ModeSymlink == 0 {
		s.found.Hidden = append(s.found.Hidden, Closed{Path: full, Reason: reason})
		return nil
	}
	real, err := filepath.EvalSymlinks(full)
	if err != nil {
		return nil // it leads nowhere
	}
	for _, g := range s.box.Grants {
		if g.Path == real {
			return nil
		}
		if below(real, g.Path) {
			return fmt.Errorf("%s leads to %s, which holds what was granted: %w", full, real, ErrGrant)
		}
	}
	if s.box.granted(real) != nil {
		s.found.Hidden = append(s.found.Hidden, Closed{Path: real, Reason: reason + " (" + full + " leads to it)"})
	}
	return nil
}

// holdsKey reports whether a file has a private key. One that cannot be read is
// taken for one.
func holdsKey(root *os.Root, name string) bool {
	data, err := head(root, name)
	return err != nil && !errors.Is(err, fs.ErrNotExist) || bytes.Contains(data, []byte("PRIVATE KEY"))
}

func holdsToken(root *os.Root, name string) bool {
	data, err := head(root, name)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	for line := range bytes.Lines(bytes.ToLower(data)) {
		_, rest, url := bytes.Cut(line, []byte("://"))
		host, _, _ := bytes.Cut(rest, []byte("/"))
		if bytes.Contains(line, []byte("extraheader")) || url && bytes.Contains(host, []byte("@")) && bytes.Contains(host, []byte(":")) ||
			url && bytes.Contains(host, []byte("@")) && bytes.Contains(line, []byte("http")) {
			return true
		}
	}
	return false
}

func head(root *os.Root, name string) ([]byte, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, lookInto))
}

// Hides reports whether the search hid a path.
func (b *Box) Hides(p string) bool {
	return slices.ContainsFunc(b.Found.Hidden, func(c Closed) bool { return c.Path == p })
}

// InnerOf is a grant inside of another; "" is none.
func (b *Box) InnerOf(outer string) string {
	for _, g := range b.Grants {
		if g.Path != outer && below(outer, g.Path) {
			return g.Path
		}
	}
	return ""
}

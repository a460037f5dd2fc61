package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// writes reports whether the command can write to a grant, or to one in it: what
// can only be read may believe what lies there.
func (b *Box) writes(g Grant) bool {
	return g.Write || slices.ContainsFunc(b.Grants, func(in Grant) bool { return in.Write && below(g.Path, in.Path) })
}

// keepAt looks whether a name that the search comes across is one of a
// repository, or a home directory.
func (s *search) keepAt(root *os.Root, g Grant, name string, d fs.DirEntry) error {
	dir := path.Dir(name)
	switch {
	case d.Name() == ".git" && dir != ".":
		return s.keep(root, g, dir)
	case d.Name() == "HEAD" && isRepository(root, dir):
		return s.keepRepository(root, g, dir)
	case d.IsDir() && s.home(filepath.Join(g.Path, name)):
		return s.keep(root, g, name)
	}
	return nil
}

// keep closes what stays as it is in the directory dir of a grant.
func (s *search) keep(root *os.Root, g Grant, dir string) error {
	tables := [][]keptName{keptInProjects}
	if s.home(filepath.Join(g.Path, dir)) {
		tables = append(tables, keptInHomes)
	}
	for _, table := range tables {
		for _, k := range table {
			if err := s.keepOne(root, g, path.Join(dir, k.name), k); err != nil {
				return err
			}
		}
	}
	s.anchor(g, dir)
	return nil
}

// anchor keeps a directory and those that lead to it from being moved away.
func (s *search) anchor(g Grant, dir string) {
	if !g.Write {
		return
	}
	for at := dir; at != "."; at = path.Dir(at) {
		s.found.Anchors = append(s.found.Anchors, filepath.Join(g.Path, at))
	}
}

func (s *search) home(dir string) bool {
	return slices.Contains(s.homes, dir) || path.Dir(dir) == "/home"
}

func (s *search) keepOne(root *os.Root, g Grant, name string, k keptName) error {
	full := filepath.Join(g.Path, name)
	if s.box.granted(full).Path != g.Path || s.closed(full) {
		return nil // granted by its own name, or closed already
	}
	c := Closed{Path: full, Reason: k.reason, Dir: k.dir, Text: k.text}
	info, err := root.Lstat(name)
	switch {
	case !g.Write && (err != nil || !info.IsDir()):
		return nil // nobody writes there
	case errors.Is(err, fs.ErrNotExist):
		c.Missing = true
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0 || info.Mode().IsRegular() && links(info) > 1:
		return fmt.Errorf("%s (%s): %w; grant it by its own name, or take it away", full, k.reason, ErrLink)
	case Hidden(full) != "":
		return nil // the search closes it
	case k.name == ".git" && info.IsDir() && !isEmpty(root, name):
		return s.keepRepository(root, g, name)
	}
	if g.Write {
		s.found.Kept = append(s.found.Kept, c)
	}
	if !c.Missing && info.IsDir() {
		return s.follow(root, name, c)
	}
	return nil
}

func isEmpty(root *os.Root, dir string) bool {
	f, err := root.Open(dir)
	if err != nil {
		return false
	}
	names, _ := f.Readdirnames(1)
	return f.Close() == nil && len(names) == 0
}

// closed reports whether a path is kept already, with all below it.
func (s *search) closed(full string) bool {
	return slices.ContainsFunc(s.found.Kept, func(c Closed) bool { return below(c.Path, full) })
}

// keepRepository closes what git believes in a repository's own directory, and
// what its settings name.
func (s *search) keepRepository(root *os.Root, g Grant, dir string) error {
	full := filepath.Join(g.Path, dir)
	if slices.Contains(s.repositories, full) || s.closed(full) {
		return nil
	}
	s.repositories = append(s.repositories, full)
	s.anchor(g, dir)
	for _, r := range keptInRepositories {
		if err := s.keepOne(root, g, path.Join(dir, r.name), r); err != nil {
			return err
		}
	}
	for _, name := range []string{"config", "config.worktree"} {
		text, err := head(root, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && len(text) == lookInto {
			err = ErrTooMany
		}
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(full, name), err)
		}
		for _, n := range settingPaths(string(text)) {
			if err := s.keepSetting(full, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepSetting closes what a setting of the repository names. Git takes an include
// from the place of the settings, and hooks from the top of the work tree.
func (s *search) keepSetting(repository string, n settingPath) error {
	from := repository
	if n.hooks && path.Base(repository) == ".git" {
		from = path.Dir(repository)
	}
	places := []string{filepath.Join(from, n.path)}
	if rest, ok := strings.CutPrefix(n.path, "~/"); ok {
		places = nil
		for _, home := range s.homes {
			places = append(places, home+"/"+rest)
		}
	} else if path.IsAbs(n.path) {
		places = []string{n.path}
	}
	for _, p := range places {
		c := Closed{Path: p, Dir: n.hooks, Reason: "the settings of " + repository + " name it, and git believes or runs it"}
		if err := s.keepNamed(c, repository); err != nil {
			return err
		}
	}
	return nil
}

// follow closes what links in a kept directory lead to: it could be replaced
// there.
func (s *search) follow(root *os.Root, name string, kept Closed) error {
	dir, err := root.OpenRoot(name)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return Walk(dir, func(n string, d fs.DirEntry) error {
		if s.found.Entries++; s.found.Entries > maxEntries {
			return ErrTooMany
		}
		if d.Type()&fs.ModeSymlink == 0 {
			return nil
		}
		full := filepath.Join(kept.Path, n)
		return s.keepNamed(Closed{Path: full, Reason: kept.Reason + " (" + full + " leads to it)"}, "")
	})
}

// keepNamed closes what c's path leads to, where the command could write to it.
// from is the repository whose settings name it.
func (s *search) keepNamed(c Closed, from string) error {
	at := c.Path
	real, rest, err := resolve(at)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	g := s.box.granted(real)
	if g == nil || !g.Write || from == "" && below(real, at) {
		return nil
	}
	if from != "" && below(real, from) {
		return fmt.Errorf("%s holds %s, whose settings name it for git to run: %w", real, from, ErrGrant)
	}
	if real == g.Path || s.closed(real) {
		return nil // granted by its own name, or closed already
	}
	for p := real; p != g.Path; p = path.Dir(p) {
		if Hidden(p) != "" {
			return nil // the search closes it
		}
	}
	info, err := os.Lstat(real)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Missing, c.Dir = true, c.Dir || rest
	case err != nil:
		return err
	case info.Mode().IsRegular() && links(info) > 1:
		return fmt.Errorf("%s (%s): %w", real, c.Reason, ErrLink)
	}
	c.Path = real
	s.found.Kept = append(s.found.Kept, c)
	name, err := filepath.Rel(g.Path, path.Dir(real))
	if err != nil {
		return err
	}
	s.anchor(*g, name)
	return nil
}

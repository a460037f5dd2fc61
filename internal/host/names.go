package host

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// errForeign is a file on a mount that this mount namespace does not have.
var errForeign = errors.New("it lies on a mount that is not in this mount namespace")

// nameTable knows the names by which the files of this host can be reached:
// one directory may be mounted in several places, and a protected path may be
// a link.
type nameTable struct {
	mounts    []mount
	protected []protectedPath
	moved     []movedPath // protected or excepted paths that lead elsewhere
}

// protectedPath is a protected path with all its names.
type protectedPath struct {
	path  string
	names []string
}

type movedPath struct{ path, resolved string }

func newNameTable(p *policy.Profile, all []mount) (*nameTable, error) {
	t := &nameTable{mounts: all}
	for _, r := range p.Mounts.Protect {
		if err := t.protect(r.Path); err != nil {
			return nil, err
		}
	}
	for _, r := range p.Mounts.Allow {
		if at, err := resolve(r.Path); err == nil && at.path != r.Path {
			t.moved = append(t.moved, movedPath{r.Path, at.path})
		}
	}
	return t, nil
}

// protect notes the names of a protected path. One that is not there protects
// nothing.
func (t *nameTable) protect(path string) error {
	if strings.Contains(path, "*") {
		return nil
	}
	at, err := resolve(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("protected path %s: %w", path, err)
	}
	names, err := t.aliases(at)
	if err != nil {
		return fmt.Errorf("protected path %s: %w", path, err)
	}
	if at.path != path {
		t.moved = append(t.moved, movedPath{path, at.path})
		names = append(names, at.path)
	}
	t.protected = append(t.protected, protectedPath{path, names})
	return nil
}

func resolve(path string) (place, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return place{}, err
	}
	defer unix.Close(fd)
	return placeOf(fd)
}

// aliases are the other names of a file: through each mount that holds it, and
// below each protected path that leads to where it is.
func (t *nameTable) aliases(at place) ([]string, error) {
	on := t.mount(at.mount)
	if on == nil {
		return nil, errForeign
	}
	rest, ok := below(on.Mountpoint, at.path)
	if !ok {
		return nil, errForeign
	}
	inside := filepath.Join(on.Root, rest)
	var names []string
	add := func(name string) {
		if name != at.path && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range t.mounts {
		m := &t.mounts[i]
		if m.Major != on.Major || m.Minor != on.Minor {
			continue
		}
		if rest, ok := below(m.Root, inside); ok {
			add(filepath.Join(m.Mountpoint, rest))
		}
	}
	for _, m := range t.moved {
		for _, name := range append([]string{at.path}, names...) {
			if rest, ok := below(m.resolved, name); ok {
				add(filepath.Join(m.path, rest))
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

// mountPoint reports whether a file is what a mount has at its mount point.
func (t *nameTable) mountPoint(at place) bool {
	on := t.mount(at.mount)
	return on != nil && on.Mountpoint == at.path
}

// mount is the mount of a number; nil is none.
func (t *nameTable) mount(id int) *mount {
	i := slices.IndexFunc(t.mounts, func(m mount) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return &t.mounts[i]
}

// contained lists the protected paths that lie strictly below one of names.
func (t *nameTable) contained(names []string) []string {
	var in []string
	for _, p := range t.protected {
		if slices.ContainsFunc(names, func(dir string) bool {
			return slices.ContainsFunc(p.names, func(name string) bool {
				rest, ok := below(dir, name)
				return ok && rest != "."
			})
		}) {
			in = append(in, p.path)
		}
	}
	return in
}

// below is what leads from dir to path.
func below(dir, path string) (string, bool) {
	if dir == path {
		return ".", true
	}
	if dir == "/" {
		return strings.TrimPrefix(path, "/"), true
	}
	rest, ok := strings.CutPrefix(path, dir+"/")
	return rest, ok
}

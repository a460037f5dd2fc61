package host

import (
	"fmt"
	"os"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

// Sources holds the sources of the bind mounts and the root file system open, as
// O_PATH descriptors, the namespaces that are joined and the hooks that a process names, so that what was
// examined is what gets mounted, joined and run.
type Sources struct {
	open   map[string]int
	root   int // -1 is none
	spaces map[string]int
	hooks  map[string]int
}

func newSources() *Sources {
	return &Sources{open: map[string]int{}, root: -1, spaces: map[string]int{}, hooks: map[string]int{}}
}

// Fd is the descriptor of a source, as the spec writes it.
func (s *Sources) Fd(source string) (int, bool) {
	fd, ok := s.open[source]
	return fd, ok
}

// Root is the descriptor of the root file system.
func (s *Sources) Root() (int, bool) { return s.root, s.root >= 0 }

// Close gives the descriptors back.
func (s *Sources) Close() {
	if s == nil {
		return
	}
	if s.root >= 0 {
		_ = unix.Close(s.root)
		s.root = -1
	}
	for _, held := range []map[string]int{s.open, s.spaces, s.hooks} {
		for _, fd := range held {
			_ = unix.Close(fd)
		}
	}
	s.open, s.spaces, s.hooks = nil, nil, nil
}

func (s *Sources) probe(r Request, all []mount) (map[string]Source, *Root, error) {
	found := map[string]Source{}
	names, err := newNameTable(r.Profile, all)
	if err != nil {
		return nil, nil, err
	}
	var root *Root
	if r.Spec.Root != nil {
		root = s.examineRoot(r.Bundle, inBundle(r.Bundle, r.Spec.Root.Path), names)
	}
	for _, m := range r.Spec.Mounts {
		if _, done := found[m.Source]; done || !isBind(m) {
			continue
		}
		found[m.Source] = s.examine(m.Source, inBundle(r.Bundle, m.Source), names)
	}
	if root != nil && !root.Missing {
		s.walk(root, r.Spec)
	}
	return found, root, nil
}

func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

func (s *Sources) examine(source, path string, names *nameTable) Source {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return Source{Err: err.Error()}
	}
	s.open[source] = fd
	return examine(fd, path, names)
}

// examine looks at what an open descriptor leads to.
func examine(fd int, path string, names *nameTable) Source {
	place, err := placeOf(fd)
	if err != nil {
		return Source{Err: err.Error()}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Source{Err: err.Error()}
	}
	src := Source{Resolved: place.path, ID: FileID{st.Dev, st.Ino}, Steady: bundle.Steady(path)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		src.Dir = true
	case unix.S_IFSOCK:
		src.Socket = true
	case unix.S_IFCHR:
		src.Device, src.Node = true, node("c", st.Rdev)
	case unix.S_IFBLK:
		src.Device, src.Node = true, node("b", st.Rdev)
	case unix.S_IFIFO:
		src.Fifo = true
	case unix.S_IFREG:
	default:
		return Source{Err: "neither a file, a directory, a FIFO, a socket nor a device"}
	}
	src.Flags = lockedFlags(fd)
	src.MountPoint, src.Owners = names.mountPoint(place), ownersOf(fd, &st)
	if src.Aliases, err = names.aliases(place); err != nil {
		return Source{Err: err.Error()}
	}
	all := append([]string{place.path}, src.Aliases...)
	src.Contains = names.contained(all)
	src.Brings, src.Mounted = names.below(all)
	if src.Within, err = within(fd, place.path, src.Dir, slices.Concat(src.Aliases, src.Brings)); err != nil {
		return Source{Err: err.Error()}
	}
	return src
}

func node(typ string, rdev uint64) Node {
	return Node{Type: typ, Major: int64(unix.Major(rdev)), Minor: int64(unix.Minor(rdev))}
}

// DeviceNode reads type and numbers of a device node.
func DeviceNode(path string) (typ string, major, minor int64, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", 0, 0, &os.PathError{Op: "lstat", Path: path, Err: err}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		typ = "c"
	case unix.S_IFBLK:
		typ = "b"
	case unix.S_IFIFO:
		return "p", 0, 0, nil
	default:
		return "", 0, 0, fmt.Errorf("%s: not a device node: %w", path, unix.EINVAL)
	}
	return typ, int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev)), nil
}

// FSType names the file system of what a path leads to.
func FSType(path string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return "", &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	return fsName(fs.Type), nil
}

// Identify reads the identity of what a path leads to.
func Identify(path string) (dev, ino uint64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return st.Dev, st.Ino, nil
}

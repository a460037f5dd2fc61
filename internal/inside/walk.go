package inside

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/lowlevel"
)

// Errors of a path that leads nowhere that can be told.
var (
	// ErrMagic is a link of procfs that leads where no path does.
	ErrMagic = errors.New("a link of procfs, which leads to what a process has open")
	// ErrLoop is what the kernel says of links that lead round in a circle.
	ErrLoop error = unix.ELOOP
	// ErrNotDir is what it says of a name below what is no directory.
	ErrNotDir error = unix.ENOTDIR
	// ErrLong is what it says of a name, or a path, that is too long.
	ErrLong error = unix.ENAMETOOLONG
	errRoot       = errors.New("the container's root")
)

// The bounds of a path (path_resolution(7), limits.h).
const (
	maxLinks = 40
	maxPath  = 4096
)

// Place is where a path leads in a container.
type Place struct {
	Asked string
	Dirs  []Node // each directory that is passed, the root first
	// Missing is the path that is not there, or cannot be passed; Err says why.
	Missing string
	Err     error
	Link    string // the last link that was followed
	Node    Node   // where Err is nil
	Fd      int    // of the node (O_PATH), -1 where there is none
	Root    int    // of the container's root (O_PATH)
	// The file system has no bytes or no inodes left. For a missing file it is the
	// file system of the directory that would hold it.
	NoSpace, NoInodes bool
}

// Close gives the descriptors back.
func (p *Place) Close() {
	for _, fd := range []int{p.Fd, p.Root} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// Look follows a path in the container of a process.
func Look(init lowlevel.Init, proc *Process, name string) (*Place, error) {
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", init.Pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRoot, gone(err))
	}
	if !init.Alive() {
		_ = unix.Close(root)
		return nil, ErrGone
	}
	mounts, err := mountinfo.PidMountInfo(init.Pid) //nolint:staticcheck // of this very process
	if err != nil {
		_ = unix.Close(root)
		return nil, fmt.Errorf("mounts of the container: %w", err)
	}
	w := &walker{root: root, proc: proc, mounts: mounts, left: strings.Split(name, "/")}
	defer w.close()
	place := &Place{Asked: name, Fd: -1, Root: root}
	w.walk(place)
	return place, nil
}

// Served reports whether a process has a mount of a file system that a program or
// another host serves.
func Served(init lowlevel.Init) bool {
	kinds := []string{"fuse", "nfs", "cifs", "smb3", "9p", "ceph", "afs", "lustre", "glusterfs", "virtiofs", "autofs"}
	mounts, err := mountinfo.PidMountInfo(init.Pid) //nolint:staticcheck // of this very process
	return err != nil || slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool {
		return slices.ContainsFunc(kinds, func(kind string) bool { return strings.HasPrefix(m.FSType, kind) })
	})
}

// walker follows a path. Of each directory on the way it holds a descriptor: ".."
// is the one before, so that nothing that is moved meanwhile leads out.
type walker struct {
	root   int
	proc   *Process
	mounts []*mountinfo.Info
	left   []string
	fds    []int
	names  []string
	links  int
}

func (w *walker) close() {
	for _, fd := range w.fds {
		_ = unix.Close(fd)
	}
}

func (w *walker) top() int {
	if len(w.fds) == 0 {
		return w.root
	}
	return w.fds[len(w.fds)-1]
}

func (w *walker) at() string { return "/" + strings.Join(w.names, "/") }

func (w *walker) dir() bool {
	var st unix.Stat_t
	return unix.Fstat(w.top(), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

func (w *walker) up() {
	if n := len(w.fds); n > 0 {
		_ = unix.Close(w.fds[n-1])
		w.fds, w.names = w.fds[:n-1], w.names[:n-1]
	}
}

func (w *walker) walk(p *Place) {
	here, err := w.node(w.root, "/")
	if err != nil {
		p.Missing, p.Err = "/", err
		return
	}
	p.Dirs = append(p.Dirs, here)
	for len(w.left) > 0 {
		name := w.left[0]
		w.left = w.left[1:]
		switch name {
		case "", ".", "..":
			if !w.dir() {
				p.Missing, p.Err = strings.TrimSuffix(w.at(), "/")+"/"+name, ErrNotDir
				return
			}
			if name == ".." {
				w.up()
			}
			continue
		}
		full := strings.TrimSuffix(w.at(), "/") + "/" + name
		next, err := w.step(name, full, p)
		if err != nil {
			p.Missing, p.Err = full, err
			p.NoSpace, p.NoInodes = left(w.top())
			return
		}
		if next == nil { // a link: the way goes on elsewhere
			continue
		}
		here = *next
		if here.Dir() && w.further() {
			p.Dirs = append(p.Dirs, here)
		}
	}
	if here, err = w.node(w.top(), w.at()); err != nil {
		p.Missing, p.Err = w.at(), err
		return
	}
	p.Node = here
	p.NoSpace, p.NoInodes = left(w.top())
	if p.Fd, err = unix.FcntlInt(uintptr(w.top()), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		p.Fd = -1
	}
}

// further is true where names are left to be followed.
func (w *walker) further() bool {
	for _, name := range w.left {
		if name != "" && name != "." {
			return true
		}
	}
	return false
}

// step opens one name. A link is not opened: its text takes its place in what is
// left.
func (w *walker) step(name, full string, p *Place) (*Node, error) {
	fd, err := unix.Openat2(w.top(), name, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return nil, err
	}
	n, err := w.node(fd, full)
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if n.Mode&unix.S_IFMT != unix.S_IFLNK {
		w.fds, w.names = append(w.fds, fd), append(w.names, name)
		return &n, nil
	}
	defer unix.Close(fd)
	if w.links++; w.links > maxLinks {
		return nil, unix.ELOOP
	}
	text, err := w.text(fd, n)
	if err != nil {
		return nil, err
	}
	p.Link = full
	if strings.HasPrefix(text, "/") {
		for len(w.fds) > 0 {
			w.up()
		}
	}
	w.left = append(strings.Split(text, "/"), w.left...)
	if len(w.left) > maxPath {
		return nil, unix.ENAMETOOLONG
	}
	return nil, nil //nolint:nilnil // a link is no node of the way
}

// text is where a link leads. Links of procfs are those of the container's
// process.
func (w *walker) text(fd int, n Node) (string, error) {
	if n.Mount != nil && n.Mount.FSType == "proc" {
		switch strings.TrimPrefix(n.Path, strings.TrimSuffix(n.Mount.Mountpoint, "/")) {
		case "/self":
			return w.proc.InnerPid, nil
		case "/thread-self":
			return w.proc.InnerPid + "/task/" + w.proc.InnerPid, nil
		case "/mounts", "/net":
		default:
			return "", ErrMagic
		}
	}
	buf := make([]byte, maxPath)
	size, err := unix.Readlinkat(fd, "", buf)
	if err != nil {
		return "", err
	}
	return string(buf[:size]), nil
}

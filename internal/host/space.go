package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors of a path that leads to no namespace.
var (
	errNoNamespace = errors.New("not a namespace")
	errRelative    = errors.New("not an absolute path")
	errOtherProc   = errors.New("a link of procfs that is not /proc/PID/ns/TYPE of this host")
	errLinks       = errors.New("too many symbolic links")
)

// maxLinks is the kernel's limit of symbolic links on one path
// (path_resolution(7)).
const maxLinks = 40

// space is a namespace that was opened once, however many links led to it.
type space struct {
	fd int // of the namespace
	// dir is a descriptor of /proc/PID/ns, -1 for a namespace that is mounted
	// somewhere. It is of that process also when the pid belongs to another.
	dir  int
	name string // /proc/PID/ns/TYPE, free of links; "" where dir is -1
}

func (s *space) close() {
	if s.dir >= 0 {
		_ = unix.Close(s.dir)
	}
}

// openSpace opens a namespace, and nothing else. A link of procfs counts only
// where it is one of this host's processes, so that it is known whose it is.
func openSpace(path string) (*space, error) {
	if !filepath.IsAbs(path) {
		return nil, errRelative
	}
	for range maxLinks {
		at := strings.LastIndexByte(path, '/')
		dir, err := unix.Open(path[:at]+"/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		found, next, err := follow(dir, path[at+1:])
		if found == nil || found.dir != dir {
			_ = unix.Close(dir)
		}
		if err != nil || found != nil {
			return found, err
		}
		path = next
	}
	return nil, errLinks
}

// follow looks at one name in an open directory: it is a namespace, or a link to
// what is to be looked at next.
func follow(dir int, name string) (*space, string, error) {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &st), unix.Fstatfs(fd, &fs)); err != nil {
		return nil, "", err
	}
	here, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", dir))
	if err != nil {
		return nil, "", err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFLNK:
		if fs.Type != unix.NSFS_MAGIC {
			return nil, "", errNoNamespace
		}
		ns, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		return &space{fd: ns, dir: -1}, "", err
	case fs.Type == unix.PROC_SUPER_MAGIC:
		ns, err := openOfProcess(dir, here, name)
		if err != nil {
			return nil, "", err
		}
		return &space{fd: ns, dir: dir, name: here + "/" + name}, "", nil
	}
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, target)
	switch {
	case err != nil:
		return nil, "", err
	case n == 0 || n == len(target):
		return nil, "", errLinks
	case target[0] == '/':
		return nil, string(target[:n]), nil
	}
	return nil, here + "/" + string(target[:n]), nil
}

// openOfProcess opens a link in the ns directory of a process.
func openOfProcess(dir int, here, name string) (int, error) {
	var st, proc unix.Stat_t
	if err := errors.Join(unix.Fstat(dir, &st), unix.Stat("/proc", &proc)); err != nil {
		return -1, err
	}
	parts := strings.Split(here, "/") // "", proc, PID[, task, TID], ns
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	ofProcess := len(parts) == 4 && number(parts[2])
	ofThread := len(parts) == 6 && number(parts[2]) && parts[3] == "task" && number(parts[4])
	if !strings.HasPrefix(here, "/") || st.Dev != proc.Dev || parts[1] != "proc" || parts[len(parts)-1] != "ns" || !ofProcess && !ofThread {
		return -1, errOtherProc
	}
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != unix.NSFS_MAGIC {
		_ = unix.Close(fd)
		return -1, errNoNamespace
	}
	return fd, nil
}

// read reads a file of the process whose namespace it is.
func (s *space) read(name string) (string, error) {
	fd, err := unix.Openat(s.dir, "../"+name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	const most = 1 << 16
	data := make([]byte, most)
	total := 0
	for total < most {
		n, err := f.Read(data[total:])
		total += n
		if err != nil || n == 0 {
			break
		}
	}
	if total == most {
		return "", fmt.Errorf("%s: %w", name, unix.EFBIG)
	}
	return string(data[:total]), nil
}

// groups are the control groups of the process (cgroups(7), ID:CONTROLLERS:PATH).
func (s *space) groups() ([]string, error) {
	if s.dir < 0 {
		return nil, nil
	}
	text, err := s.read("cgroup")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) == 3 && !slices.Contains(all, parts[2]) {
			all = append(all, parts[2])
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("cgroup: %w", unix.ESRCH)
	}
	return all, nil
}

// mapping is that of the process, where users and groups have the same.
func (s *space) mapping() ([]IDMap, error) {
	if s.dir < 0 {
		return nil, fmt.Errorf("not a user namespace of a process: %w", unix.EINVAL)
	}
	uids, err := s.read("uid_map")
	if err != nil {
		return nil, err
	}
	gids, err := s.read("gid_map")
	if err != nil {
		return nil, err
	}
	return parseMapping(uids, gids)
}

// joined looks at a namespace that a spec names and holds it open.
func (s *Sources) joined(path string) JoinedNamespace {
	at, err := openSpace(path)
	if err != nil {
		return JoinedNamespace{Err: err.Error()}
	}
	defer at.close()
	j, err := at.examine()
	if err != nil {
		_ = unix.Close(at.fd)
		return JoinedNamespace{Err: err.Error()}
	}
	if was, ok := s.spaces[path]; ok {
		_ = unix.Close(was)
	}
	s.spaces[path] = at.fd
	return j
}

func (s *space) examine() (JoinedNamespace, error) {
	var st unix.Stat_t
	if err := unix.Fstat(s.fd, &st); err != nil {
		return JoinedNamespace{}, err
	}
	flag, err := unix.IoctlRetInt(s.fd, unix.NS_GET_NSTYPE)
	if err != nil {
		return JoinedNamespace{}, err
	}
	j := JoinedNamespace{ID: FileID{st.Dev, st.Ino}, Type: nsType(flag)}
	if j.Groups, err = s.groups(); err != nil {
		return j, err
	}
	if j.Type == "user" {
		ids, err := s.mapping()
		j.NoHostRoot = err == nil && len(ids) > 0 && !slices.ContainsFunc(ids, func(m IDMap) bool {
			return m.Outside < leastHostID || !(IDRange{Base: m.Outside, Size: m.Size}).Valid()
		})
		return j, nil
	}
	j.Owner = s.owner()
	return j, nil
}

// Namespace is the descriptor of a namespace that the spec joins, by the path in
// the spec.
func (s *Sources) Namespace(path string) (int, bool) {
	fd, ok := s.spaces[path]
	return fd, ok
}

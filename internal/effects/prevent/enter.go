package prevent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors of a container that cannot be held, and of a guard that is not whole.
var (
	ErrNotLoaded = errors.New("the kernel's guard is not loaded")
	errForeign   = errors.New("others than root can change it")
	errNoGroup   = errors.New("it has no control group of version 2 of its own")
	errTooDeep   = fmt.Errorf("its control group lies more than %d deep", Deepest)
	errHostPids  = errors.New("it shares the host's pid namespace, in which it cannot be told from its low-level runtime")
	errInner     = errors.New("hatchdog is not in the host's pid namespace, from which levels are counted")
)

// firstPids is the host's pid namespace (kernel, proc_ns.h, PROC_PID_INIT_INO).
const firstPids = 0xEFFFFFFC

// Guard is where the guard is pinned, and the host's file systems.
type Guard struct {
	Dir   string
	Proc  string
	Group string // where control groups are mounted
}

// New is the guard of this host.
func New() Guard { return Guard{Dir, "/proc", "/sys/fs/cgroup"} }

// Bpffs reports whether a bpffs is mounted at a place.
func Bpffs(at string) bool { return isFS(at, unix.BPF_FS_MAGIC) }

func isFS(at string, magic uint32) bool {
	var st unix.Statfs_t
	return unix.Statfs(at, &st) == nil && uint32(st.Type) == magic //nolint:gosec // a magic number of 32 bits
}

// Loaded is nil where the programs that deny d are all there, and only root can have
// put them there.
func (g Guard) Loaded(d Deny) error {
	if _, err := os.Lstat(g.Dir); errors.Is(err, os.ErrNotExist) {
		return ErrNotLoaded
	}
	if err := g.Owned(); err != nil {
		return err
	}
	for _, name := range d.Hooks() {
		if _, err := os.Lstat(filepath.Join(g.Dir, Links, name)); err != nil {
			return fmt.Errorf("%w: the program at %s is not there", ErrNotLoaded, name)
		}
	}
	return nil
}

// Owned is nil where only root can have put there what is pinned.
func (g Guard) Owned() error {
	for _, dir := range []string{filepath.Dir(g.Dir), g.Dir, filepath.Join(g.Dir, Links)} {
		var st unix.Stat_t
		if err := unix.Lstat(dir, &st); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		if st.Uid != 0 || st.Mode&unix.S_IFMT != unix.S_IFDIR || st.Mode&0o022 != 0 {
			return fmt.Errorf("%s: %w", dir, errForeign)
		}
	}
	return nil
}

// Enter has the guard hold the container of a process to d.
func (g Guard) Enter(pid int, d Deny) error {
	if err := g.Loaded(d); err != nil {
		return err
	}
	group, err := g.group(pid)
	if err != nil {
		return fmt.Errorf("control group: %w", err)
	}
	level, inode, err := g.pids(pid)
	if err != nil {
		return fmt.Errorf("pid namespace: %w", err)
	}
	root, err := g.root(pid)
	if err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	since, err := now()
	if err != nil {
		return err
	}
	held, err := openMap(filepath.Join(g.Dir, Containers))
	if err != nil {
		return fmt.Errorf("%s: %w", Containers, err)
	}
	defer unix.Close(held)
	var value [ValueSize]byte
	binary.NativeEndian.PutUint32(value[AtDenied:], uint32(d))
	binary.NativeEndian.PutUint32(value[AtLevel:], level)
	binary.NativeEndian.PutUint32(value[AtInode:], inode)
	binary.NativeEndian.PutUint32(value[AtRoot:], root)
	binary.NativeEndian.PutUint64(value[AtSince:], since)
	if err := update(held, group, value); err != nil {
		return fmt.Errorf("%s: %w", Containers, err)
	}
	return nil
}

// group is the id of a process's control group of version 2: the inode of its
// directory (kernfs).
func (g Guard) group(pid int) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(g.Proc, fmt.Sprint(pid), "cgroup"))
	if err != nil {
		return 0, err
	}
	own := ""
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			own = path
		}
	}
	if own == "" || own == "/" || strings.Contains(own, "/..") {
		return 0, errNoGroup
	}
	if strings.Count(own, "/") > Deepest {
		return 0, errTooDeep
	}
	root := g.Group
	if !isFS(root, unix.CGROUP2_SUPER_MAGIC) {
		root = filepath.Join(root, "unified")
	}
	if !isFS(root, unix.CGROUP2_SUPER_MAGIC) {
		return 0, errNoGroup
	}
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(root, own), &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}

// pids are the level and the inode of a process's pid namespace.
func (g Guard) pids(pid int) (level, inode uint32, err error) {
	var ours, theirs unix.Stat_t
	if err := unix.Stat(filepath.Join(g.Proc, "self/ns/pid"), &ours); err != nil {
		return 0, 0, err
	}
	if ours.Ino != firstPids {
		return 0, 0, errInner
	}
	if err := unix.Stat(filepath.Join(g.Proc, fmt.Sprint(pid), "ns/pid"), &theirs); err != nil {
		return 0, 0, err
	}
	if theirs.Ino == ours.Ino {
		return 0, 0, errHostPids
	}
	text, err := os.ReadFile(filepath.Join(g.Proc, fmt.Sprint(pid), "status"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return uint32(len(strings.Fields(list)) - 1), uint32(theirs.Ino), nil //nolint:gosec // small, and 32 bits
		}
	}
	return 0, 0, fmt.Errorf("no NSpid: %w", os.ErrNotExist)
}

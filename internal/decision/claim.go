package decision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// sweepMax bounds how many dead records one create looks at, so that the
// leftovers of `run`, which runc deletes itself, cannot grow without end.
const sweepMax = 16

// Claim is the right of one process to create one container.
type Claim struct{ dir string }

// Claim takes the id for this process. It returns ErrExists when the low-level
// runtime knows the id, and ErrBusy when another live process has claimed it.
// The claim is this process's pid and start time: it ends with the process,
// also by SIGKILL, and holds across execve.
func (s Store) Claim(root, id string) (*Claim, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	keyDir := filepath.Join(s.Base, Key(root))
	if err := s.prepare(keyDir, root); err != nil {
		return nil, err
	}
	unlock, err := lockDir(keyDir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if Live(root, id) {
		return nil, ErrExists
	}
	dir := s.dir(root, id)
	if creator, ok := readCreator(dir); ok && creator.alive() && creator != self() {
		return nil, fmt.Errorf("%w (pid %d)", ErrBusy, creator.pid)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("claim: %w", err)
	}
	if err := writeLink(dir, creatorLink, self().String()); err != nil {
		return nil, err
	}
	sweep(keyDir, root)
	return &Claim{dir}, nil
}

// Dir is the record's directory.
func (c *Claim) Dir() string { return c.dir }

// Abandon gives the claim back. A record that an earlier create left goes too.
func (c *Claim) Abandon() error {
	if err := remove(c.dir); err != nil {
		return fmt.Errorf("abandon claim: %w", err)
	}
	return nil
}

// prepare makes the directories, 0700 and ours, and notes which root the key
// stands for.
func (s Store) prepare(keyDir, root string) error {
	// All may pass through the base, to the mounts of user namespaces, and only
	// we may look.
	if err := os.MkdirAll(s.Base, 0o711); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if err := os.MkdirAll(keyDir, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	for _, dir := range []string{s.Base, keyDir} {
		if err := checkOurs(dir); err != nil {
			return err
		}
	}
	have, err := os.Readlink(filepath.Join(keyDir, rootLink))
	if err == nil && have == root {
		return nil
	}
	return writeLink(keyDir, rootLink, root)
}

func checkOurs(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return fmt.Errorf("state directory %s: %w", dir, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("state directory %s: not a directory", dir)
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("state directory %s: owned by uid %d, not by %d", dir, st.Uid, os.Geteuid())
	case st.Mode&0o022 != 0:
		return fmt.Errorf("state directory %s: writable by others (mode %04o)", dir, st.Mode&0o7777)
	}
	return nil
}

// lockDir takes the lock of a directory. The descriptor is close-on-exec: no
// runc inherits it.
func lockDir(dir string) (func(), error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("state directory: lock: %w", err)
	}
	return func() { _ = f.Close() }, nil
}

// sweep removes records whose creator is dead and of which the low-level runtime
// knows nothing. The caller holds the lock. A record that it cannot remove stays
// for the next one.
func sweep(keyDir, root string) {
	d, err := os.Open(keyDir)
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	// Start elsewhere each time: the live ones must not hide the dead.
	for i := range min(len(names), sweepMax) {
		id := names[(os.Getpid()+i)%len(names)]
		if id == rootLink {
			continue
		}
		dir := filepath.Join(keyDir, id)
		creator, ok := readCreator(dir)
		if !ok || creator.alive() || Live(root, id) {
			continue
		}
		_ = remove(dir)
	}
}

// process is one process for as long as the machine is up: a pid may come
// again, with its start time it does not.
type process struct {
	pid   int
	start uint64 // clock ticks after boot (proc_pid_stat(5), field 22)
}

func (p process) String() string { return fmt.Sprintf("%d:%d", p.pid, p.start) }

func (p process) alive() bool { return StartTime(p.pid) == p.start && p.start != 0 }

func self() process { return process{os.Getpid(), StartTime(os.Getpid())} }

// Creating reports whether the process that claimed a record is still there.
func Creating(record string) bool {
	creator, ok := readCreator(record)
	return ok && creator.alive()
}

func readCreator(dir string) (process, bool) {
	text, err := os.Readlink(filepath.Join(dir, creatorLink))
	if err != nil {
		return process{}, false
	}
	pid, start, ok := strings.Cut(text, ":")
	n, err1 := strconv.Atoi(pid)
	t, err2 := strconv.ParseUint(start, 10, 64)
	return process{n, t}, ok && err1 == nil && err2 == nil
}

// StartTime is when a process started, in clock ticks after boot
// (proc_pid_stat(5), field 22), or 0 where it is gone.
func StartTime(pid int) uint64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The command may hold spaces and brackets: count from the last bracket.
	_, rest, ok := cutLast(string(data), ')')
	if !ok {
		return 0
	}
	fields := strings.Fields(rest)
	const startField = 22 - 3
	if len(fields) <= startField {
		return 0
	}
	t, err := strconv.ParseUint(fields[startField], 10, 64)
	if err != nil {
		return 0
	}
	return t
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

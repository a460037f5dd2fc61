package bundle

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Config is the spec's name in a bundle.
const Config = "config.json"

// Errors that say why a file is not taken.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrWritable   = errors.New("writable by users other than its owner")
	ErrOwner      = errors.New("owned by another user")
	ErrUnsteady   = errors.New("users other than root can change what the path leads to")
)

// Bundle is an opened bundle directory with its spec.
type Bundle struct {
	dir    string
	fd     int
	steady bool
	stat   unix.Stat_t // of the spec
	doc    *Document[specs.Spec]
}

// Open opens the bundle at dir and reads its spec.
func Open(dir string) (*Bundle, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	fd, err := unix.Open(abs, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", abs, err)
	}
	b := &Bundle{dir: abs, fd: fd}
	if err := b.read(); err != nil {
		b.Close()
		return nil, fmt.Errorf("bundle %s: %w", abs, err)
	}
	return b, nil
}

func (b *Bundle) read() error {
	b.steady = Steady(filepath.Join(b.dir, Config))
	raw, st, err := readAt(b.fd, Config, func() bool { return enclosed(filepath.Join(b.dir, Config)) })
	if err != nil {
		return fmt.Errorf("%s: %w", Config, err)
	}
	if b.doc, err = Decode[specs.Spec](raw); err != nil {
		return fmt.Errorf("%s: %w", Config, err)
	}
	b.stat = *st
	return nil
}

// checkOwner refuses what somebody else could change between our reading and
// the low-level runtime's.
func checkOwner(st *unix.Stat_t) error {
	switch {
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%w (uid %d)", ErrOwner, st.Uid)
	case st.Mode&0o002 != 0, st.Mode&0o020 != 0 && st.Gid != 0 && int(st.Gid) != os.Getegid():
		return fmt.Errorf("%w (mode %04o)", ErrWritable, st.Mode&0o7777)
	}
	return nil
}

// unenclosed is said of a file whose mode alone counts.
func unenclosed() bool { return false }

// readAt reads name in the directory fd: a regular file, not through a
// symlink, not larger than MaxSize. One that its mode lets others write to is
// taken where they cannot come to it.
func readAt(dirfd int, name string, enclosed func() bool) ([]byte, *unix.Stat_t, error) {
	// O_NONBLOCK: a FIFO in its place is not to hold us up.
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) {
		return nil, nil, fmt.Errorf("%w: a symbolic link", ErrNotRegular)
	}
	if err != nil {
		return nil, nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil, ErrNotRegular
	}
	err = checkOwner(&st)
	if err == nil && st.Mode&0o020 != 0 && hasACL(fmt.Sprintf("/proc/self/fd/%d", fd)) {
		err = fmt.Errorf("%w (an access control list)", ErrWritable)
	}
	if err != nil && (!errors.Is(err, ErrWritable) || !enclosed()) {
		return nil, nil, err
	}
	if st.Size > MaxSize {
		return nil, nil, ErrTooLarge
	}
	raw, err := Read(f)
	return raw, &st, err
}

// Read reads r to its end, MaxSize at most.
func Read(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxSize {
		return nil, ErrTooLarge
	}
	return raw, nil
}

// ReadFile reads a process or resources file under the rules of Open.
func ReadFile(path string) ([]byte, error) {
	raw, _, err := readAt(unix.AT_FDCWD, path, unenclosed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, nil
}

// Close gives the directory back.
func (b *Bundle) Close() { _ = unix.Close(b.fd) }

// Dir is the bundle's absolute path.
func (b *Bundle) Dir() string { return b.dir }

// Document is the spec.
func (b *Bundle) Document() *Document[specs.Spec] { return b.doc }

// Steady reports whether nobody but root, and the user we are, can change what
// the bundle's path leads to, and write into the folder. The low-level runtime
// opens it by its path once more.
func (b *Bundle) Steady() bool { return b.steady }

// Is reports whether an open folder is the bundle.
func (b *Bundle) Is(dirfd int) (bool, error) {
	var own, other unix.Stat_t
	if err := errors.Join(unix.Fstat(b.fd, &own), unix.Fstat(dirfd, &other)); err != nil {
		return false, err
	}
	return own.Dev == other.Dev && own.Ino == other.Ino, nil
}

// Owner is who owns the spec's file, and its mode.
func (b *Bundle) Owner() (uid, gid int, mode uint32) {
	return int(b.stat.Uid), int(b.stat.Gid), b.stat.Mode & 0o777
}

// Seal puts data into a sealed memory file that the low-level runtime inherits
// as descriptor low or higher, and can read as /proc/self/fd/N: no path that
// somebody could swap, nothing left behind.
func Seal(data []byte, low int) (int, error) {
	fd, err := unix.MemfdCreate("hatchdog", unix.MFD_ALLOW_SEALING|unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("memfd: %w", err)
	}
	defer unix.Close(fd)
	for rest := data; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil {
			return -1, fmt.Errorf("memfd: %w", err)
		}
		rest = rest[n:]
	}
	if _, err := unix.Seek(fd, 0, io.SeekStart); err != nil {
		return -1, fmt.Errorf("memfd: %w", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return -1, fmt.Errorf("memfd: seal: %w", err)
	}
	out, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, low)
	if err != nil {
		return -1, fmt.Errorf("memfd: %w", err)
	}
	return out, nil
}

// SealStdin puts data in the place of standard input, for the low-level runtime
// to read.
func SealStdin(data []byte) error {
	fd, err := Seal(data, 3)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Dup3(fd, 0, 0); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	return nil
}

package bundle

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
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
	ErrChanged    = errors.New("changed since it was read")
	ErrUnsteady   = errors.New("users other than root can change what the path leads to")
)

// Bundle is an opened bundle directory with its spec.
type Bundle struct {
	dir  string
	fd   int
	id   identity
	stat unix.Stat_t
	doc  *Document[specs.Spec] // as it was asked for
	raw  []byte                // the file
}

// identity tells one content of one file.
type identity struct {
	dev, ino     uint64
	size         int64
	mtime, ctime unix.Timespec
}

func identityOf(st *unix.Stat_t) identity {
	return identity{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim}
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
	// The low-level runtime opens it by its path once more.
	if !Steady(b.dir) {
		return ErrUnsteady
	}
	var dir unix.Stat_t
	if err := unix.Fstat(b.fd, &dir); err != nil {
		return err
	}
	if err := checkOwner(&dir); err != nil {
		return err
	}
	raw, st, err := readAt(b.fd, Config)
	if err != nil {
		return fmt.Errorf("%s: %w", Config, err)
	}
	b.raw = raw
	if b.doc, err = Decode[specs.Spec](askedAt(b.fd, raw)); err != nil {
		return fmt.Errorf("%s: %w", Config, err)
	}
	b.stat, b.id = *st, identityOf(st)
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

// readAt reads name in the directory fd: a regular file, not through a
// symlink, not larger than MaxSize.
func readAt(dirfd int, name string) ([]byte, *unix.Stat_t, error) {
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
	if err := checkOwner(&st); err != nil {
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
	raw, _, err := readAt(unix.AT_FDCWD, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return raw, nil
}

// Close gives the directory back.
func (b *Bundle) Close() { _ = unix.Close(b.fd) }

// Dir is the bundle's absolute path.
func (b *Bundle) Dir() string { return b.dir }

// Document is the spec as it was asked for: the file, or where hatchdog rewrote
// that, what it was before.
func (b *Bundle) Document() *Document[specs.Spec] { return b.doc }

// Raw is the file.
func (b *Bundle) Raw() []byte { return b.raw }

// Write replaces the spec as a whole, with the mode and owner it had. It
// refuses when the file is no longer the one that was read.
func (b *Bundle) Write(doc *Document[specs.Spec]) error {
	if bytes.Equal(doc.Raw, b.raw) {
		return nil
	}
	var now unix.Stat_t
	if err := unix.Fstatat(b.fd, Config, &now, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("%s: %w", Config, err)
	}
	if identityOf(&now) != b.id {
		return fmt.Errorf("%s: %w", Config, ErrChanged)
	}
	tmp, err := b.writeTemp(doc.Raw)
	if err != nil {
		return fmt.Errorf("%s: %w", Config, err)
	}
	if err := unix.Renameat(b.fd, tmp, b.fd, Config); err != nil {
		_ = unix.Unlinkat(b.fd, tmp, 0)
		return fmt.Errorf("%s: %w", Config, err)
	}
	return nil
}

func (b *Bundle) writeTemp(data []byte) (string, error) {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	name := ".hatchdog-" + hex.EncodeToString(random[:])
	fd, err := unix.Openat(b.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	if err := b.fill(f, data); err != nil {
		_ = unix.Unlinkat(b.fd, name, 0)
		return "", err
	}
	return name, nil
}

func (b *Bundle) fill(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	fd := int(f.Fd())
	if int(b.stat.Uid) != os.Geteuid() || int(b.stat.Gid) != os.Getegid() {
		if err := unix.Fchown(fd, int(b.stat.Uid), int(b.stat.Gid)); err != nil {
			return err
		}
	}
	if err := unix.Fchmod(fd, b.stat.Mode&0o7777); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return err
	}
	if fs.Type == unix.TMPFS_MAGIC {
		return nil // nothing of it outlives the machine
	}
	return unix.Fdatasync(fd)
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

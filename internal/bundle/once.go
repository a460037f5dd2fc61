package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	json "github.com/go-json-experiment/json/v1"
	"golang.org/x/sys/unix"
)

// firstByte is how long a named pipe may be without a writer, in milliseconds.
const firstByte = 5000

var errNoWriter = errors.New("a pipe that nobody writes to")

// ReadOnce reads a process or resources file. A regular file that is named is read
// under the rules of Open. A pipe, and a descriptor of the caller's such as
// /dev/fd/63, is read as the low-level runtime reads it: the first JSON value. It
// returns the bytes that it took from there as once, also with an error: nobody can
// read them again.
func ReadOnce(path string) (raw, once []byte, err error) {
	var st unix.Stat_t
	inherited := descriptor(path)
	if !inherited && unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		raw, err = ReadFile(path)
		return raw, nil, err
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if !inherited {
		if err := checkOwner(&st); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if st.Mode&unix.S_IFMT == unix.S_IFIFO {
		if err := awaitWriter(fd); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	raw, once, err = ReadValue(reader(fd))
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		once = nil // whoever opens it again begins at its start
	}
	return raw, once, err
}

// descriptor says whether path names a descriptor that the caller handed down.
func descriptor(path string) bool {
	path = filepath.Clean(path)
	return path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/self/fd/")
}

// awaitWriter waits until a pipe has data, or had a writer.
func awaitWriter(fd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, firstByte)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n == 0:
			return errNoWriter
		default:
			return nil
		}
	}
}

// reader reads a descriptor without the runtime's poller, which has no place in
// a program that is about to be replaced.
type reader int

func (r reader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(r), p)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("read", err)
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// ReadValue reads the first JSON value of r. once is all that was taken from r.
func ReadValue(r io.Reader) (raw, once []byte, err error) {
	var taken bytes.Buffer
	var value json.RawMessage
	err = json.NewDecoder(io.TeeReader(io.LimitReader(r, MaxSize+1), &taken)).Decode(&value)
	switch {
	case taken.Len() > MaxSize:
		// The low-level runtime may take what we do not: once is the whole of it.
		if _, cerr := io.Copy(&taken, r); cerr != nil {
			return nil, taken.Bytes(), cerr
		}
		return nil, taken.Bytes(), ErrTooLarge
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, taken.Bytes(), io.ErrUnexpectedEOF
	case err != nil:
		return nil, taken.Bytes(), withoutValue(err)
	}
	return value, taken.Bytes(), nil
}

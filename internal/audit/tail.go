package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	json "github.com/go-json-experiment/json/v1"
	"golang.org/x/sys/unix"
)

// mark names one line: its number and its hash.
type mark struct {
	seq  uint64
	hash string
}

// tail is the end of a segment.
type tail struct {
	mark
	partial int64 // bytes of an unfinished last line
}

// window is how much of the end is read at first, in bytes: a decision has
// some KiB.
const window = 8 << 10

// readTail finds the last whole line. head is what the head file says of it,
// which spares decoding the line where it is true.
func readTail(f *os.File, size int64, head mark) (tail, error) {
	for n := int64(window); ; n *= 4 {
		n = min(n, size)
		data := make([]byte, n)
		if _, err := f.ReadAt(data, size-n); err != nil {
			return tail{}, fmt.Errorf("audit log: %w", err)
		}
		whole, partial := lastLine(data)
		whole = bytes.TrimSuffix(whole, []byte{'\n'})
		start := bytes.LastIndexByte(whole, '\n') + 1
		if (start == 0 || len(whole) == 0) && n < size {
			continue // the line begins before the window
		}
		t := tail{partial: int64(len(partial))}
		if len(whole) == 0 {
			return t, nil
		}
		sum := hash(whole[start:])
		if sum == head.hash {
			t.mark = head
			return t, nil
		}
		var l line
		if err := json.Unmarshal(whole[start:], &l); err != nil {
			// Not ours to mend: the head says what the chain goes on from.
			return t, nil
		}
		t.mark = mark{l.Seq, sum}
		return t, nil
	}
}

func headFile(path string) string { return path + ".head" }

// droppedFile has the last line that rotation took away.
func droppedFile(path string) string { return path + ".dropped" }

// readHead reads the head file; none is the zero mark.
func readHead(path string) (mark, error) { return readMark(headFile(path)) }

func readMark(file string) (mark, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return mark{}, nil
	}
	if err != nil {
		return mark{}, fmt.Errorf("audit log: head: %w", err)
	}
	defer f.Close()
	if _, err := check(f); err != nil {
		return mark{}, err
	}
	data := make([]byte, 128)
	n, err := f.Read(data)
	if err != nil {
		return mark{}, fmt.Errorf("audit log: head: %w", err)
	}
	number, sum, ok := strings.Cut(strings.TrimSpace(string(data[:n])), " ")
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil || !ok || len(sum) != 64 {
		return mark{}, fmt.Errorf("audit log: head: %w", errHead)
	}
	return mark{seq, sum}, nil
}

var errHead = errors.New("not a number and a hash")

func writeHead(path string, m mark) error { return writeMark(headFile(path), m) }

// writeMark sets a file, in place and in one write: replacing it would make some
// file systems flush. The caller holds the lock.
func writeMark(file string, m mark) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return fmt.Errorf("audit log: head: %w", err)
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%020d %s\n", m.seq, m.hash), 0)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("audit log: head: %w", err)
	}
	return nil
}

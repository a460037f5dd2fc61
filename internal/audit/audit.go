// Package audit keeps the audit log: JSON Lines, one for each decision, each
// with the hash of the line before.
//
// Guarantees: lines of many writers at once are whole and in one chain, across
// rotation; a line that was not written whole is an error to its writer; a line
// that was changed, removed or cut is named by Verify, also at the end of the
// log, as long as the head file was not rewritten with it; what rotation dropped
// is named; no line is longer than MaxEvent and a little; refusals that come too
// fast share lines, so that a workload cannot push the others' evidence out.
// Does not cover: somebody who can write to the log's directory can write a
// new log: copy the head elsewhere to notice that. A power failure:
// lines are not synced one by one.
// Requires: a directory that only its owner can write to; flock(2).
// Spec fields touched: none.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	json "github.com/go-json-experiment/json/v1"
	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Errors of a log that is not taken.
var (
	ErrNotRegular = errors.New("audit log: not a regular file")
	ErrOwner      = errors.New("audit log: owned by another user")
	ErrWritable   = errors.New("audit log: writable by users other than its owner")
	ErrLarge      = errors.New("audit log: the event is too large")
	ErrLocked     = errors.New("audit log: another process holds it")
)

// line is one line of the log. The order of its members is part of the format.
type line struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	Prev string    `json:"prev"` // SHA-256 of the line before, in hex; "" for the first
	// Continues marks the first line of a segment that rotation began.
	Continues bool `json:"continues,omitempty"`
	// Repaired is the number of bytes of an unfinished line that was taken away
	// before this one: its writer was killed before anything was started.
	Repaired int64 `json:"repaired,omitempty"`
	// Unnamed is the number of refusals of the same workload before this one
	// that came too fast to have lines.
	Unnamed uint32          `json:"unnamed,omitempty"`
	Event   json.RawMessage `json:"event"`
}

// MaxEvent is the largest event taken, in bytes. A decision that is larger is
// cut by whoever made it.
const MaxEvent = 64 << 10

// patience is how long TryAppend waits for a log that another process holds.
const patience = 100 * time.Millisecond

// Append writes event as one line. It makes the log and its directory where
// they are not there.
func Append(cfg policy.Audit, event any, now time.Time) error {
	return appendLine(cfg, event, now, appending{how: unix.LOCK_EX})
}

// TryAppend is Append for whoever must not wait long.
func TryAppend(cfg policy.Audit, event any, now time.Time) error {
	return appendLine(cfg, event, now, appending{how: unix.LOCK_EX | unix.LOCK_NB})
}

// AppendRefusal is Append for a request of the named workload that was refused.
// Where its refusals come too fast, this one is only counted.
func AppendRefusal(cfg policy.Audit, workload string, event any, now time.Time) error {
	return appendLine(cfg, event, now, appending{how: unix.LOCK_EX, refused: true, workload: workload})
}

type appending struct {
	how      int // of flock
	refused  bool
	workload string
}

func appendLine(cfg policy.Audit, event any, now time.Time, a appending) error {
	data, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	if len(data) > MaxEvent {
		return ErrLarge
	}
	l, err := open(cfg.Path, a.how)
	if err != nil {
		return err
	}
	defer func() { l.file.Close() }()
	var unnamed uint32
	if a.refused {
		var ok bool
		if ok, unnamed, err = admitted(cfg.Path, a.workload, now); err != nil || !ok {
			return err
		}
	}
	last, err := l.last()
	if err != nil {
		return err
	}
	next := line{Seq: last.seq + 1, Time: now.UTC(), Prev: last.hash, Repaired: last.partial, Unnamed: unnamed, Event: data}
	raw, err := encode(next)
	if err != nil {
		return err
	}
	if l.size > 0 && cfg.MaxSize > 0 && l.size+int64(len(raw)) > cfg.MaxSize {
		if err := l.rotate(cfg.Keep, last.mark); err != nil {
			return err
		}
		next.Continues = true
		if raw, err = encode(next); err != nil {
			return err
		}
	}
	if err := l.write(raw); err != nil {
		return err
	}
	return writeHead(cfg.Path, mark{next.Seq, hash(raw[:len(raw)-1])})
}

func encode(l line) ([]byte, error) {
	raw, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	// Outside of texts JSON has no character that is not to be seen, and in them
	// its escapes mean the same.
	return append([]byte(plain.Line(string(raw))), '\n'), nil
}

func hash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// log is the current segment, opened and locked.
type log struct {
	path string
	file *os.File
	size int64
}

// open opens and locks the log. While it waits for the lock another writer may
// rotate the segment away: then it opens the new one.
func open(path string, how int) (*log, error) {
	if err := prepareDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
		if errors.Is(err, unix.ELOOP) {
			return nil, fmt.Errorf("%w: a symbolic link", ErrNotRegular)
		}
		if err != nil {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		st, err := check(f)
		if err == nil {
			err = lock(f, how)
		}
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		var now unix.Stat_t
		if unix.Lstat(path, &now) == nil && now.Ino == st.Ino && now.Dev == st.Dev {
			if err := unix.Fstat(int(f.Fd()), st); err != nil {
				_ = f.Close()
				return nil, fmt.Errorf("audit log: %w", err)
			}
			return &log{path, f, st.Size}, nil
		}
		_ = f.Close()
	}
}

func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return trusted(&st)
}

func trusted(st *unix.Stat_t) error {
	switch {
	case st.Uid != 0 && int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%w (uid %d)", ErrOwner, st.Uid)
	case st.Mode&0o022 != 0:
		return fmt.Errorf("%w (mode %04o)", ErrWritable, st.Mode&0o7777)
	}
	return nil
}

func check(f *os.File) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, ErrNotRegular
	}
	return &st, trusted(&st)
}

func lock(f *os.File, how int) error {
	for end := time.Now().Add(patience); ; {
		err := unix.Flock(int(f.Fd()), how)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.EWOULDBLOCK) {
			if time.Now().After(end) {
				return ErrLocked
			}
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("audit log: lock: %w", err)
		}
		return nil
	}
}

// last finds what the next line is chained to, and takes an unfinished line
// away.
func (l *log) last() (tail, error) {
	head, err := readHead(l.path)
	if err != nil && !errors.Is(err, errHead) { // a garbled one is of a power failure; Verify tells until the next line
		return tail{}, err
	}
	t, err := readTail(l.file, l.size, head)
	if err != nil {
		return t, err
	}
	if t.partial > 0 {
		if err := l.file.Truncate(l.size - t.partial); err != nil {
			return t, fmt.Errorf("audit log: unfinished line: %w", err)
		}
		l.size -= t.partial
	}
	// The head knows of more than there is: what is gone was cut off. The chain
	// goes on from the head, so that the hole stays to be seen.
	if head.seq > t.seq || head.seq == t.seq && head.hash != t.hash {
		t.mark = head
	}
	return t, nil
}

// write appends raw as a whole or not at all.
func (l *log) write(raw []byte) error {
	if _, err := l.file.Write(raw); err != nil {
		if terr := l.file.Truncate(l.size); terr != nil {
			err = errors.Join(err, terr) // the next writer takes the rest away
		}
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// lastLine cuts data behind its last newline.
func lastLine(data []byte) (whole, partial []byte) {
	i := bytes.LastIndexByte(data, '\n')
	return data[:i+1], data[i+1:]
}

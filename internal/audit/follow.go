package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	json "github.com/go-json-experiment/json/v1"
	"golang.org/x/sys/unix"
)

// Position names a line that was taken; zero is before the first.
type Position struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"` // SHA-256 of the line, in hex
}

// Entry is one line of the log, or a gap before the next one.
type Entry struct {
	Position
	Time    time.Time
	Unnamed uint32 // refusals of the same workload before this one that have no lines
	Event   []byte // JSON
	Raw     []byte // the line, without its line break
	Gap     *Gap   // then nothing else is set but the position before it
}

// Why a line is not there.
const (
	GapRotated    = "rotated"    // rotation took lines away before they were read
	GapRemoved    = "removed"    // lines are missing, and no rotation did that
	GapChanged    = "changed"    // the chain does not go on from the line before
	GapReplaced   = "replaced"   // the last line read is not there: the log is read from its beginning
	GapUnreadable = "unreadable" // a line is not one of the log
)

// Gap says what is missing.
type Gap struct {
	Why   string `json:"why"`
	Lines uint64 `json:"lines"` // 0 where it cannot be told
	First uint64 `json:"first,omitempty"`
	Last  uint64 `json:"last,omitempty"`
}

// Follower reads the log as it grows, across rotation. It gives each line that is
// behind its position and says what is missing; it keeps no lock while it reads.
type Follower struct {
	path string
	at   Position
	open []*reading // oldest first; the last is the current segment
	// seeking is true from the opening until a line behind the position came.
	seeking bool
	seen    mark // the last line that was passed over while seeking
	opened  bool // no line was read since the segments were opened
	fresh   bool // what is before the next line does not count as missing
}

// Follow reads the log whose current segment is at path from behind a position.
func Follow(path string, after Position) *Follower {
	return &Follower{path: path, at: after}
}

// At is the position of the last line given.
func (f *Follower) At() Position { return f.at }

// Close gives the files back.
func (f *Follower) Close() {
	for _, r := range f.open {
		_ = r.file.Close()
	}
	f.open = nil
}

// Next gives at most as many entries as there are now; none is no error.
func (f *Follower) Next(most int) ([]Entry, error) {
	var all []Entry
	for len(all) < most {
		if len(f.open) == 0 {
			if err := f.locate(); err != nil || len(f.open) == 0 {
				return all, err
			}
		}
		raw, ok, err := f.open[0].line()
		if err != nil {
			return all, err
		}
		if ok {
			all = f.take(all, raw)
			continue
		}
		more, err := f.turn()
		if err != nil {
			return all, err
		}
		if !more {
			if f.cutBehind() {
				all = f.restart(all)
				continue
			}
			return all, nil
		}
	}
	return all, nil
}

// turn goes on at the end of a segment: to the next one, or to the one that took
// the place of the current one. It reports whether there may be more.
func (f *Follower) turn() (bool, error) {
	r := f.open[0]
	if len(f.open) > 1 || r.final {
		_ = r.file.Close()
		f.open = f.open[1:]
		return true, nil
	}
	var now, ours unix.Stat_t
	if err := unix.Fstat(int(r.file.Fd()), &ours); err != nil {
		return false, fmt.Errorf("audit log: %w", err)
	}
	switch err := unix.Lstat(f.path, &now); {
	case errors.Is(err, unix.ENOENT), err == nil && (now.Ino != ours.Ino || now.Dev != ours.Dev):
		r.final = true // its writers had the lock before its name went: one more look
		return true, nil
	case err != nil:
		return false, fmt.Errorf("audit log: %w", err)
	case ours.Size < r.offset:
		_ = r.file.Close()
		f.open = nil
		return true, nil
	}
	return false, nil
}

// cutBehind reports whether the log ends before the position.
func (f *Follower) cutBehind() bool {
	return f.seeking && f.at.Seq > 0 && f.seen.seq > 0 && f.seen.seq < f.at.Seq
}

// restart reads the log from its beginning: the line of the position is gone, so
// it is another log, or one that was cut. Lines may come twice; none is left out.
func (f *Follower) restart(all []Entry) []Entry {
	f.Close()
	all = append(all, Entry{Position: f.at, Gap: &Gap{Why: GapReplaced}})
	f.at, f.fresh = Position{}, true
	return all
}

// take judges a line by its number and its hash.
func (f *Follower) take(all []Entry, raw []byte) []Entry {
	var l line
	if raw == nil || json.Unmarshal(raw, &l) != nil || l.Seq == 0 || l.Event == nil {
		if f.seeking && f.seen.seq < f.at.Seq {
			return all // told when it was passed first
		}
		return append(all, Entry{Position: f.at, Gap: &Gap{Why: GapUnreadable, Lines: 1}})
	}
	sum := hash(raw)
	first := f.opened
	f.opened = false
	if f.seeking && l.Seq <= f.at.Seq {
		if l.Seq == f.at.Seq && sum != f.at.Hash {
			return f.restart(all)
		}
		f.seen = mark{l.Seq, sum}
		return all
	}
	f.seeking = false
	switch missing := l.Seq - f.at.Seq - 1; {
	case f.fresh && f.at.Seq == 0:
	case l.Seq <= f.at.Seq:
		all = append(all, Entry{Position: f.at, Gap: &Gap{Why: GapReplaced}})
	case missing > 0:
		why := GapRemoved
		if first && l.Continues {
			why = GapRotated
		}
		all = append(all, Entry{Position: f.at, Gap: &Gap{why, missing, f.at.Seq + 1, l.Seq - 1}})
	case l.Prev != f.at.Hash: // before the first line there is none
		all = append(all, Entry{Position: f.at, Gap: &Gap{Why: GapChanged, First: f.at.Seq, Last: f.at.Seq}})
	}
	f.at, f.fresh = Position{l.Seq, sum}, false
	return append(all, Entry{Position: f.at, Time: l.Time, Unnamed: l.Unnamed, Event: l.Event, Raw: raw})
}

// locate opens the segments from the one on that has the line behind the
// position, or all. The log is locked only while they are opened.
func (f *Follower) locate() error {
	current, err := f.lockCurrent()
	if err != nil || current == nil {
		return err
	}
	defer func() { _ = unix.Flock(int(current.file.Fd()), unix.LOCK_UN) }()
	f.seeking, f.seen, f.opened = true, mark{}, true
	f.open = []*reading{current}
	files := closed(f.path)
	for i := len(files) - 2; i >= 0; i-- {
		if first := f.open[0].first(); f.at.Seq > 0 && first > 0 && first <= f.at.Seq+1 {
			break
		}
		r, err := openReading(files[i])
		if err != nil {
			f.Close()
			return err
		}
		f.open = append([]*reading{r}, f.open...)
	}
	return nil
}

// lockCurrent opens and locks the current segment; nil is no log.
func (f *Follower) lockCurrent() (*reading, error) {
	for {
		r, err := openReading(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if err := lock(r.file, unix.LOCK_SH); err != nil {
			_ = r.file.Close()
			return nil, err
		}
		var now, ours unix.Stat_t
		if unix.Lstat(f.path, &now) == nil && unix.Fstat(int(r.file.Fd()), &ours) == nil && now.Ino == ours.Ino && now.Dev == ours.Dev {
			return r, nil
		}
		_ = r.file.Close()
	}
}

// Oldest is the position before the first line that the log has, where whoever
// never read it begins: what rotation took before counts as missing to nobody.
func Oldest(path string) (Position, error) {
	f := Follow(path, Position{})
	defer f.Close()
	if err := f.locate(); err != nil {
		return Position{}, err
	}
	for _, r := range f.open {
		raw, ok, err := r.line()
		if err != nil {
			return Position{}, err
		}
		var l line
		if ok && json.Unmarshal(raw, &l) == nil && l.Seq > 0 {
			return Position{l.Seq - 1, l.Prev}, nil
		}
	}
	return Position{}, nil
}

// Head is the position of the last line of the log whose current segment is at
// path, as its head file says.
func Head(path string) (Position, error) {
	m, err := readHead(path)
	return Position{m.seq, m.hash}, err
}

// openReading opens a segment for reading.
func openReading(path string) (*reading, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	if _, err := check(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	return &reading{file: file}, nil
}

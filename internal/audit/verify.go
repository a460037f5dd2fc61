package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	json "github.com/go-json-experiment/json/v1"
	"golang.org/x/sys/unix"
)

// Bad is the first place where the chain is broken.
type Bad struct {
	File string `json:"file"`
	Line int    `json:"line"` // from 1; 0 is the file as a whole
	What string `json:"what"` // changed, removed, cut
	Why  string `json:"why"`
}

// Report is what Verify found.
type Report struct {
	Lines    int `json:"lines"`
	Segments int `json:"segments"`
	// Dropped is how many lines rotation took away, and DroppedHash the SHA-256
	// of the last of them: the log goes on from there.
	Dropped     uint64 `json:"dropped,omitempty"`
	DroppedHash string `json:"droppedHash,omitempty"`
	Bad         *Bad   `json:"bad,omitempty"`
}

// OK is true where the chain is whole.
func (r Report) OK() bool { return r.Bad == nil }

func (r Report) String() string {
	if r.Bad == nil {
		text := fmt.Sprintf("whole: %d lines in %d segments", r.Lines, r.Segments)
		if r.Dropped > 0 {
			text += fmt.Sprintf("; rotation took the lines 1 to %d away (audit.maxSize, audit.keep), the last with the hash %s", r.Dropped, r.DroppedHash)
		}
		return text
	}
	if r.Bad.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", r.Bad.File, r.Bad.What, r.Bad.Why)
	}
	return fmt.Sprintf("%s:%d: %s: %s", r.Bad.File, r.Bad.Line, r.Bad.What, r.Bad.Why)
}

// Verify reads the log whose current segment is at path, with its closed
// segments, and follows the chain to the head. An error is a log that cannot be
// read.
func Verify(path string) (Report, error) {
	v := &verifier{}
	var err error
	v.dropped, err = readMark(droppedFile(path))
	if errors.Is(err, errHead) {
		v.bad(droppedFile(path), 0, "changed", "it does not hold a number and a hash")
		return v.report, nil
	}
	if err != nil {
		return v.report, err
	}
	err = walk(path, func(file string, lines int, raw []byte, whole bool) error {
		v.see(file, lines, raw, whole)
		if v.report.Bad != nil {
			return errStop
		}
		return nil
	}, &v.report.Segments)
	if errors.Is(err, errStop) {
		return v.report, nil
	}
	if err != nil {
		return v.report, err
	}
	head, err := readHead(path)
	if errors.Is(err, errHead) {
		v.bad(headFile(path), 0, "changed", "it does not hold a number and a hash")
		return v.report, nil
	}
	if err != nil {
		return v.report, err
	}
	v.end(path, head)
	return v.report, nil
}

// Read gives the events to f, oldest first. A log that is not there has none;
// a line that cannot be read is passed over: Verify names it.
func Read(path string, f func(event []byte) error) error {
	return walk(path, func(_ string, _ int, raw []byte, _ bool) error {
		var l line
		if json.Unmarshal(raw, &l) != nil || l.Event == nil {
			return nil
		}
		return f(l.Event)
	}, nil)
}

var errStop = errors.New("stop")

// walk gives each line of each segment, oldest first. whole is false for one
// without its newline. The current segment is locked meanwhile, so that no
// rotation comes between.
func walk(path string, f func(file string, lines int, raw []byte, whole bool) error, segments *int) error {
	current, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) && segments == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer current.Close()
	if err := lock(current, unix.LOCK_SH); err != nil {
		return err
	}
	for _, file := range closed(path) {
		if segments != nil {
			*segments++
		}
		if err := walkFile(file, f); err != nil {
			return err
		}
	}
	return nil
}

// closed lists the segments, oldest first, the current one last.
func closed(path string) []string {
	found, err := filepath.Glob(globQuote(path) + ".*")
	if err != nil {
		return []string{path}
	}
	var numbers []int
	for _, name := range found {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, path+".")); err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	slices.Reverse(numbers)
	var files []string
	for _, n := range numbers {
		if n == 1 && same(path, segment(path, 1)) {
			continue
		}
		files = append(files, segment(path, n))
	}
	return append(files, path)
}

func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

func walkFile(file string, f func(string, int, []byte, bool) error) error {
	in, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, window)
	for n := 1; ; n++ {
		raw, err := r.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("audit log: %w", err)
		}
		if len(raw) == 0 {
			return nil
		}
		if err := f(file, n, bytes.TrimSuffix(raw, []byte{'\n'}), err == nil); err != nil {
			return err
		}
	}
}

// verifier follows the chain.
type verifier struct {
	report  Report
	dropped mark // the last line that rotation took away
	at      mark
	file    string // of the line at
	line    int
}

func (v *verifier) bad(file string, line int, what, why string) {
	v.report.Bad = &Bad{file, line, what, why}
}

func (v *verifier) see(file string, n int, raw []byte, whole bool) {
	var l line
	switch {
	case !whole:
		v.bad(file, n, "cut", "the line has no end")
		return
	case json.Unmarshal(raw, &l) != nil || l.Seq == 0:
		v.bad(file, n, "changed", "it is not a line of the log")
		return
	}
	first := v.report.Lines == 0
	switch {
	case first && l.Seq == 1 && l.Prev == "":
	case first && l.Continues && v.dropped.seq+1 > l.Seq: // a rotation that was cut off
	case first && l.Continues && v.dropped.seq+1 == l.Seq && l.Prev != v.dropped.hash:
		v.bad(file, n, "changed", "it does not follow the last line that rotation took away")
		return
	case first && l.Continues && (v.dropped.seq == 0 || v.dropped.seq+1 == l.Seq):
		v.report.Dropped, v.report.DroppedHash = l.Seq-1, l.Prev
	case first:
		v.bad(file, n, "removed", fmt.Sprintf("the log begins with line number %d, and no rotation did that", l.Seq))
		return
	case l.Seq != v.at.seq+1:
		v.bad(file, n, "removed", fmt.Sprintf("line number %d follows number %d", l.Seq, v.at.seq))
		return
	case l.Prev != v.at.hash:
		v.bad(v.file, v.line, "changed", "the line behind it has the hash of another one")
		return
	}
	v.report.Lines++
	v.at, v.file, v.line = mark{l.Seq, hash(raw)}, file, n
}

// end holds the last line against the head. One line more than the head knows
// is a writer that was killed in between.
func (v *verifier) end(path string, head mark) {
	switch {
	case head == v.at, head.seq != 0 && head.seq < v.at.seq:
	case head.seq == 0 && v.at.seq > 1:
		v.bad(headFile(path), 0, "removed", "the head file is not there")
	case head.seq == v.at.seq:
		v.bad(v.file, v.line, "changed", "the head file has the hash of another line")
	case head.seq > v.at.seq:
		v.bad(path, v.line+1, "cut", fmt.Sprintf("the log ends with line number %d, and there were %d", v.at.seq, head.seq))
	}
}

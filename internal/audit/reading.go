package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	json "github.com/go-json-experiment/json/v1"
)

// maxLine bounds what one line takes of memory, in bytes. One of ours has at most
// MaxEvent, with each character of it escaped.
const maxLine = 1 << 20

// reading is a segment that is read line by line while it grows.
type reading struct {
	file   *os.File
	offset int64  // behind the last whole line
	buf    []byte // what was read from there
	final  bool   // nobody writes to it any more
	long   bool   // inside a line that is too long
}

// line gives the next whole line; nil stands for one that is too long. An unfinished
// line is read anew each time: a writer may take it away.
func (r *reading) line() (raw []byte, ok bool, err error) {
	for want := window; ; want *= 4 {
		if i := bytes.IndexByte(r.buf, '\n'); i >= 0 {
			raw = bytes.Clone(r.buf[:i])
			r.buf = r.buf[i+1:]
			r.offset += int64(i) + 1
			if r.long {
				r.long, raw = false, nil
			}
			return raw, true, nil
		}
		if len(r.buf) >= maxLine {
			r.long = true
			r.offset += int64(len(r.buf))
			want = window
		}
		buf := make([]byte, min(want, maxLine))
		n, err := r.file.ReadAt(buf, r.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("audit log: %w", err)
		}
		r.buf = buf[:n]
		if n < len(buf) && bytes.IndexByte(r.buf, '\n') < 0 {
			r.buf = nil
			return nil, false, nil
		}
	}
}

// first is the number of the first line; 0 where it cannot be told.
func (r *reading) first() uint64 {
	copied := reading{file: r.file}
	raw, ok, err := copied.line()
	var l line
	if !ok || err != nil || json.Unmarshal(raw, &l) != nil {
		return 0
	}
	return l.Seq
}

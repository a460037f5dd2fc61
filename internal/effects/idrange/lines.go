package idrange

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
)

var errLine = errors.New("a line that cannot be read")

// parse reads the file: a line of the state, and for each range BASE SIZE and
// the whole as JSON, which stays as it is. Thousands of ranges may be held, and
// most of them are only asked where they are.
func parse(data []byte) (*state, error) {
	head, rest, _ := bytes.Cut(data, []byte{'\n'})
	var st struct {
		state
		Form json.RawMessage `json:"ranges"`
	}
	if err := json.Unmarshal(head, &st); err != nil {
		return nil, err
	}
	if string(st.Form) != inLines {
		return before(&st.state, st.Form)
	}
	for line := range bytes.Lines(rest) {
		if !bytes.HasSuffix(line, []byte{'\n'}) {
			return nil, errLine // it was cut
		}
		base, more, _ := bytes.Cut(line[:len(line)-1], []byte{' '})
		size, text, ok := bytes.Cut(more, []byte{' '})
		b, err1 := strconv.ParseUint(string(base), 10, 32)
		n, err2 := strconv.ParseUint(string(size), 10, 32)
		if !ok || err1 != nil || err2 != nil || n == 0 {
			return nil, errLine
		}
		r := Range{text: text}
		r.Base, r.Size = uint32(b), uint32(n)
		st.Ranges = append(st.Ranges, r)
	}
	return &st.state, nil
}

// inLines stands where the version before had the ranges: it cannot read that,
// and tells who holds what from the processes.
const inLines = `"lines"`

// before reads the ranges of the version that wrote one document.
func before(st *state, ranges json.RawMessage) (*state, error) {
	if ranges == nil {
		return nil, errLine
	}
	if err := json.Unmarshal(ranges, &st.Ranges); err != nil {
		return nil, err
	}
	for i := range st.Ranges {
		if r := &st.Ranges[i]; r.Size == 0 { // of a version that had units alone
			r.Size = Size
		}
	}
	return st, nil
}

func (st *state) encode() ([]byte, error) {
	head, err := json.Marshal(struct {
		*state
		Form json.RawMessage `json:"ranges"`
	}{st, json.RawMessage(inLines)})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(head)
	b.WriteByte('\n')
	for _, r := range st.Ranges {
		text := r.text
		if text == nil {
			if text, err = json.Marshal(r); err != nil {
				return nil, err
			}
		}
		line := strconv.AppendUint(b.AvailableBuffer(), uint64(r.Base), 10)
		line = strconv.AppendUint(append(line, ' '), uint64(r.Size), 10)
		line = append(append(append(line, ' '), text...), '\n')
		b.Write(line)
	}
	return b.Bytes(), nil
}

// look reads the whole of a range. One that cannot be read has no holders that
// are known: it is held as long as a process lives in it.
func (r *Range) look() {
	if r.text == nil {
		return
	}
	whole := Range{}
	if json.Unmarshal(r.text, &whole) == nil && whole.Base == r.Base && whole.Size == r.Size {
		*r = whole
	}
	r.text = nil
}

// names looks into a range that may have a holder of an id, and reports whether
// it has. An id is written as it is (decision.CheckID).
func (r *Range) names(id string) bool {
	if r.text != nil && !bytes.Contains(r.text, []byte(id)) {
		return false
	}
	r.look()
	for _, h := range r.Holders {
		if h.ID == id {
			return true
		}
	}
	return false
}

package decision

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"

	json "github.com/go-json-experiment/json/v1"

	"github.com/hatchdog/hatchdog/internal/plain"
)

// Cut says that a decision was too large to be kept as a whole.
type Cut struct {
	Bytes  int    `json:"bytes"`  // of the whole
	SHA256 string `json:"sha256"` // of the whole, as JSON
}

// The largest decision in the audit log and in a record, in bytes. One on
// Docker's own spec under a built-in profile has some 5 KiB.
const (
	MaxLogged   = 16 << 10
	maxRecorded = 256 << 10
)

// Bounded is d where that is small and plain, or else a copy, with every text on
// one line of characters that can be shown. Where d has more than most bytes, long
// texts are cut and long lists ended, and Cut has the digest of the whole.
func (d *Decision) Bounded(most int) *Decision {
	data, err := json.Marshal(d)
	if err == nil && len(data) <= most && shows(data) {
		return d
	}
	out := *d
	shown := reflect.ValueOf(&out).Elem()
	shown.Set(bounded(shown, limits{text: -1, list: -1}))
	if data, err = json.Marshal(&out); err != nil || len(data) <= most {
		return &out
	}
	sum := sha256.Sum256(data)
	whole := out
	for l := (limits{text: 1024, list: 64}); l.text >= 16; l = (limits{l.text / 2, max(1, l.list/2)}) {
		out = whole
		shown.Set(bounded(shown, l))
		out.Cut = &Cut{len(data), hex.EncodeToString(sum[:])}
		out.Notes = append(out.Notes, left(&whole, &out)...)
		if cut, err := json.Marshal(&out); err == nil && len(cut) <= most {
			break
		}
	}
	return &out
}

// shows reports whether all texts of a JSON document can be shown as they are:
// ASCII, of which nothing is escaped but what can be seen. Any other may be fit
// too.
func shows(doc []byte) bool {
	if !plain.ASCII(doc) {
		return false
	}
	for i := bytes.IndexByte(doc, '\\'); i >= 0; {
		rest := doc[i+1:]
		switch {
		case len(rest) > 0 && (rest[0] == '"' || rest[0] == '\\'):
			rest = rest[1:]
		case bytes.HasPrefix(rest, []byte("u003c")), bytes.HasPrefix(rest, []byte("u003e")), bytes.HasPrefix(rest, []byte("u0026")):
			rest = rest[5:]
		default:
			return false
		}
		if i = bytes.IndexByte(rest, '\\'); i >= 0 {
			i += len(doc) - len(rest)
		}
	}
	return true
}

// left says how much the lists are shorter.
func left(whole, cut *Decision) []string {
	var notes []string
	for name, n := range map[string]int{
		"changes": len(whole.Changes) - len(cut.Changes), "refusals": len(whole.Refusals) - len(cut.Refusals),
	} {
		if n > 0 {
			notes = append(notes, fmt.Sprintf("%d more %s are not kept: the request was too large", n, name))
		}
	}
	return notes
}

// limits are the longest text in bytes and the longest list; less than 0 is any.
type limits struct{ text, list int }

// bounded copies v and bounds what is in the copy.
func bounded(v reflect.Value, l limits) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		s := plain.Line(v.String())
		if l.text >= 0 {
			s = plain.Cut(s, l.text)
		}
		out.SetString(s)
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(bounded(v.Elem(), l))
		}
	case reflect.Slice:
		if v.IsNil() {
			return out
		}
		n := v.Len()
		if l.list >= 0 {
			n = min(n, l.list)
		}
		out.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			out.Index(i).Set(bounded(v.Index(i), l))
		}
	case reflect.Map:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.MakeMap(v.Type()))
		for key, value := range v.Seq2() {
			if l.list >= 0 && out.Len() >= l.list {
				break
			}
			out.SetMapIndex(bounded(key, l), bounded(value, l))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(bounded(v.Field(i), l))
			}
		}
	}
	return out
}

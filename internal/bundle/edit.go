package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"
)

// errLossy means that an edit would have lost or changed something else.
var errLossy = errors.New("the edited document does not read back as intended")

// With returns a document that reads as after, and in which everything that
// did not have to change is as it was: members that are not known, the order
// of members, the spelling of numbers. It checks its own work. The same value
// gives the same bytes.
func (d *Document[T]) With(after *T) (*Document[T], error) {
	raw, err := mergeValue(d.Raw, reflect.ValueOf(d.Value), reflect.ValueOf(after))
	if err != nil {
		return nil, err
	}
	if bytes.Equal(raw, d.Raw) {
		return d, nil
	}
	edited, err := Decode[T](raw)
	if err != nil {
		return nil, err
	}
	if equal(reflect.ValueOf(edited.Value), reflect.ValueOf(after), true) {
		return edited, nil
	}
	got, err := json.Marshal(edited.Value)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	want, err := json.Marshal(after)
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	if !bytes.Equal(got, want) {
		return nil, errLossy
	}
	return edited, nil
}

// merge carries the step from was to want over to raw, for maps; mergeValue has
// the rest. All three are JSON values; was is raw without what nobody knows.
func merge(raw, was, want jsontext.Value) (jsontext.Value, error) {
	if bytes.Equal(was, want) {
		return raw, nil
	}
	if raw.Kind() == '{' && was.Kind() == '{' && want.Kind() == '{' {
		return mergeObject(raw, was, want)
	}
	return want, nil
}

type member struct {
	name  string
	value jsontext.Value
}

func mergeObject(raw, was, want jsontext.Value) (jsontext.Value, error) {
	members, err := membersOf(raw)
	if err != nil {
		return nil, err
	}
	before, err := membersOf(was)
	if err != nil {
		return nil, err
	}
	after, err := membersOf(want)
	if err != nil {
		return nil, err
	}
	var out []member
	for _, m := range members {
		old, known := lookUp(before, m.name)
		next, kept := lookUp(after, m.name)
		switch {
		case known && kept:
			if m.value, err = merge(m.value, old, next); err != nil {
				return nil, err
			}
		case known: // taken away
			continue
		case kept: // was there, but empty: encoding/json had left it out
			m.value = next
		}
		out = append(out, m)
	}
	for _, m := range after {
		if _, there := lookUp(members, m.name); !there {
			if old, known := lookUp(before, m.name); known && bytes.Equal(old, m.value) {
				continue // encoding/json writes what the document left out
			}
			out = append(out, m)
		}
	}
	return joinObject(out), nil
}

// nameOf is what tells the elements of the spec's lists apart.
func nameOf(v jsontext.Value) string {
	if v.Kind() != '{' {
		return ""
	}
	members, err := membersOf(v)
	if err != nil {
		return ""
	}
	if d, ok := lookUp(members, "destination"); ok {
		return "destination " + string(d)
	}
	name := ""
	for _, key := range []string{"path", "type", "pageSize", "major", "minor"} {
		if part, ok := lookUp(members, key); ok {
			name += key + " " + string(part) + " "
		}
	}
	return name
}

func lookUp(ms []member, name string) (jsontext.Value, bool) {
	for _, m := range ms {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

func membersOf(v jsontext.Value) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, scanError(d, err)
	}
	var ms []member
	for d.PeekKind() != '}' {
		tok, err := d.ReadToken()
		if err != nil {
			return nil, scanError(d, err)
		}
		name := tok.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, scanError(d, err)
		}
		ms = append(ms, member{name, inPlace(v, d, value)})
	}
	return ms, nil
}

// inPlace is the value that d has just read, as a part of v: what d returns
// lasts only until it reads on.
func inPlace(v jsontext.Value, d *jsontext.Decoder, value jsontext.Value) jsontext.Value {
	end := int(d.InputOffset())
	return v[end-len(value) : end : end]
}

func elementsOf(v jsontext.Value) ([]jsontext.Value, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(v))
	if _, err := d.ReadToken(); err != nil {
		return nil, scanError(d, err)
	}
	var es []jsontext.Value
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, scanError(d, err)
		}
		es = append(es, inPlace(v, d, value))
	}
	return es, nil
}

func joinObject(ms []member) jsontext.Value {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := jsontext.AppendQuote(nil, m.name)
		b.Write(name)
		b.WriteByte(':')
		b.Write(bytes.TrimSpace(m.value))
	}
	b.WriteByte('}')
	return b.Bytes()
}

func joinArray(es []jsontext.Value) jsontext.Value {
	return append(append([]byte{'['}, bytes.Join(toBytes(es), []byte{','})...), ']')
}

func toBytes(es []jsontext.Value) [][]byte {
	out := make([][]byte, len(es))
	for i, e := range es {
		out[i] = bytes.TrimSpace(e)
	}
	return out
}

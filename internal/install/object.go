package install

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// object is a JSON object whose members keep their order and their text.
type object []member

type member struct {
	name  string
	value jsontext.Value
}

// parseObject reads an object; nothing is an empty one. A duplicate is an
// error.
func parseObject(raw []byte) (object, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrParse, err)
		}
		return nil, fmt.Errorf("%w: not an object", ErrParse)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParse, err)
	}
	var o object
	for d.PeekKind() != '}' {
		t, err := d.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrParse, err)
		}
		key := t.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrParse, key, err)
		}
		o = append(o, member{key, value.Clone()})
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParse, err)
	}
	if d.PeekKind() != 0 {
		return nil, fmt.Errorf("%w: something stands behind the document", ErrParse)
	}
	return o, nil
}

func (o object) get(key string) jsontext.Value {
	for _, m := range o {
		if m.name == key {
			return m.value
		}
	}
	return nil
}

func (o *object) set(key string, value []byte) {
	for i, m := range *o {
		if m.name == key {
			(*o)[i].value = value
			return
		}
	}
	*o = append(*o, member{key, value})
}

func (o *object) drop(key string) {
	*o = slices.DeleteFunc(*o, func(m member) bool { return m.name == key })
}

// render is the object on one line, its values as they were.
func (o object) render() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		quoted, _ := jsontext.AppendQuote(nil, m.name) // it was read as a string
		b.Write(quoted)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// text is the object as an administrator would write it.
func (o object) text() ([]byte, error) {
	v := jsontext.Value(o.render())
	if err := v.Indent(jsontext.WithIndent("  "), jsontext.PreserveRawStrings(true)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrParse, err)
	}
	return append(v, '\n'), nil
}

// Package bundle reads the documents that an engine hands to the
// low-level runtime: config.json, the process file of exec, the resources of
// update.
//
// Guarantees: a document is opened once; it can be read in one way only (no
// duplicate keys, none that differ from a known one by case alone, no invalid
// UTF-8, nothing behind it); fields which are not known stay byte for byte. It
// says whether others than root may write to a bundle: the low-level runtime must
// not read from such a one.
// Does not cover: what the fields mean, which the controls and the guard judge.
// Requires: nothing.
// Spec fields touched: none.
package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"
)

// MaxSize is the largest document taken, in bytes. A real config.json has some
// tens of KiB; a pod that Kubernetes keeps has less than 2 MiB.
const MaxSize = 4 << 20

// maxDepth is the deepest nesting taken. The OCI spec's deepest field has 6.
const maxDepth = 64

// Errors that say what kind of bad a document is.
var (
	ErrTooLarge  = errors.New("larger than 4 MiB")
	ErrTooDeep   = errors.New("nested deeper than 64 levels")
	ErrAmbiguous = errors.New("key differs from a known one by case alone")
	ErrTrailing  = errors.New("data behind the document")
	ErrNotObject = errors.New("not a JSON object")
)

// Document is a document as it came and as it was understood.
type Document[T any] struct {
	Raw   []byte
	Value *T
	// Unknown holds the JSON pointers of members that T does not know, sorted.
	Unknown []string
}

// Decode reads raw strictly. Its errors name the place in the document, never
// a value.
func Decode[T any](raw []byte) (*Document[T], error) {
	if len(raw) > MaxSize {
		return nil, ErrTooLarge
	}
	if hasNUL(raw) {
		return nil, ErrNUL
	}
	if v, ok := decodeKnown[T](raw); ok {
		return &Document[T]{Raw: raw, Value: v}, nil
	}
	var v T
	unknown, err := scan(raw, reflect.TypeOf(v))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, withoutValue(err)
	}
	return &Document[T]{Raw: raw, Value: &v, Unknown: unknown}, nil
}

// decodeKnown reads, in one pass, a document of which T knows every member. Any
// other one, good or bad, is left to the closer look of Decode.
func decodeKnown[T any](raw []byte) (*T, bool) {
	if tooDeep(raw) || !bytes.HasPrefix(raw, []byte{'{'}) {
		return nil, false
	}
	var v T
	err := jsonv2.Unmarshal(raw, &v, json.DefaultOptionsV1(), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false),
		jsonv2.MatchCaseInsensitiveNames(false), jsonv2.RejectUnknownMembers(true))
	return &v, err == nil
}

// tooDeep counts the brackets that are not in strings.
func tooDeep(raw []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == '{' || c == '['):
			if depth++; depth >= maxDepth {
				return true
			}
		case !quoted && (c == '}' || c == ']'):
			depth--
		}
	}
	return false
}

// withoutValue keeps what encoding/json says of the place and drops what it
// quotes of the document.
func withoutValue(err error) error {
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) {
		return fmt.Errorf("%s at offset %d: not a %s", typed.Field, typed.Offset, typed.Type)
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("syntax error at offset %d", syntax.Offset)
	}
	return errors.New("a value that cannot be read")
}

// scan checks the structure against the Go type that will hold it.
func scan(raw []byte, t reflect.Type) ([]string, error) {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw)) // a Buffer is read in place
	if d.PeekKind() != '{' {
		if _, err := d.ReadToken(); err != nil {
			return nil, scanError(d, err)
		}
		return nil, ErrNotObject
	}
	s := &scanner{d: d, fields: map[reflect.Type]map[string]reflect.Type{}}
	if err := s.value(t); err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("offset %d: %w", d.InputOffset(), ErrTrailing)
	}
	slices.Sort(s.unknown)
	return s.unknown, nil
}

type scanner struct {
	d       *jsontext.Decoder
	fields  map[reflect.Type]map[string]reflect.Type // of the structs met so far
	unknown []string
}

// scanError keeps jsontext's place and reason; its text quotes at most a
// character.
func scanError(d *jsontext.Decoder, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("offset %d: %w", d.InputOffset(), io.ErrUnexpectedEOF)
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName) {
		return fmt.Errorf("%s: %w", syntactic.JSONPointer, jsontext.ErrDuplicateName)
	}
	return fmt.Errorf("offset %d: %w", d.InputOffset(), err)
}

// value reads one value that t will hold; a nil t holds anything.
func (s *scanner) value(t reflect.Type) error {
	if s.d.StackDepth() >= maxDepth {
		return fmt.Errorf("offset %d: %w", s.d.InputOffset(), ErrTooDeep)
	}
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch s.d.PeekKind() {
	case '{':
		return s.object(t)
	case '[':
		return s.array(t)
	}
	if _, err := s.d.ReadToken(); err != nil {
		return scanError(s.d, err)
	}
	return nil
}

func (s *scanner) array(t reflect.Type) error {
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	if _, err := s.d.ReadToken(); err != nil {
		return scanError(s.d, err)
	}
	for s.d.PeekKind() != ']' {
		if err := s.value(elem); err != nil {
			return err
		}
	}
	if _, err := s.d.ReadToken(); err != nil {
		return scanError(s.d, err)
	}
	return nil
}

func (s *scanner) object(t reflect.Type) error {
	if _, err := s.d.ReadToken(); err != nil {
		return scanError(s.d, err)
	}
	for s.d.PeekKind() != '}' {
		tok, err := s.d.ReadToken()
		if err != nil {
			return scanError(s.d, err)
		}
		elem, err := s.member(t, tok.String())
		if err != nil {
			return err
		}
		if err := s.value(elem); err != nil {
			return err
		}
	}
	if _, err := s.d.ReadToken(); err != nil {
		return scanError(s.d, err)
	}
	return nil
}

// member finds the type of a member. encoding/json, with which runc reads the
// document, takes "Process" for "process": a key that only it would know is
// refused.
func (s *scanner) member(t reflect.Type, key string) (reflect.Type, error) {
	if t == nil {
		return nil, nil
	}
	switch t.Kind() {
	case reflect.Map:
		return t.Elem(), nil
	case reflect.Struct:
	default:
		return nil, nil
	}
	fields := s.fieldsOf(t)
	if f, known := fields[key]; known {
		return f, nil
	}
	for name := range fields {
		if strings.EqualFold(name, key) {
			return nil, fmt.Errorf("%s: %w", s.d.StackPointer(), ErrAmbiguous)
		}
	}
	s.unknown = append(s.unknown, string(s.d.StackPointer()))
	return nil, nil
}

// fieldsOf maps the members that a struct knows to their types.
func (s *scanner) fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields, done := s.fields[t]
	if done {
		return fields
	}
	fields = map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if _, outer := fields[name]; !outer {
			fields[name] = f.Type
		}
	}
	s.fields[t] = fields
	return fields
}

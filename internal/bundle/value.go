package bundle

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	json "github.com/go-json-experiment/json/v1"
)

// mergeValue carries the step from was to want over to raw, which was is read from.
// It does not look into members that did not change, which are nearly all of a
// document.
func mergeValue(raw jsontext.Value, was, want reflect.Value) (jsontext.Value, error) {
	if equal(was, want, false) {
		return raw, nil
	}
	if was.Kind() == reflect.Pointer && !was.IsNil() && !want.IsNil() {
		was, want = was.Elem(), want.Elem()
	}
	if was.Kind() == reflect.Struct && raw.Kind() == '{' {
		return mergeStruct(raw, was, want)
	}
	if was.Kind() == reflect.Slice && raw.Kind() == '[' && !want.IsNil() {
		return mergeSlice(raw, was, want)
	}
	before, err := json.Marshal(was.Interface())
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	after, err := json.Marshal(want.Interface())
	if err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return merge(raw, before, after)
}

// mergeStruct merges field by field. A field that it gets wrong is found by
// With, which reads the result back.
func mergeStruct(raw jsontext.Value, was, want reflect.Value) (jsontext.Value, error) {
	members, err := membersOf(raw)
	if err != nil {
		return nil, err
	}
	for i := range was.NumField() {
		name, option, _ := strings.Cut(was.Type().Field(i).Tag.Get("json"), ",")
		at := slices.IndexFunc(members, func(m member) bool { return m.name == name })
		gone := leftOut(option, want.Field(i))
		switch {
		case equal(was.Field(i), want.Field(i), false), gone && leftOut(option, was.Field(i)):
			continue
		case gone && at >= 0:
			members = slices.Delete(members, at, at+1)
		case gone:
		case at >= 0:
			members[at].value, err = mergeValue(members[at].value, was.Field(i), want.Field(i))
		default:
			var value []byte
			value, err = json.Marshal(want.Field(i).Interface())
			members = append(members, member{name, value})
		}
		if err != nil {
			return nil, fmt.Errorf("document: %s: %w", name, err)
		}
	}
	return joinObject(members), nil
}

// mergeSlice aligns the elements by what names them, so that an element that
// stays keeps what nobody knows of it.
func mergeSlice(raw jsontext.Value, was, want reflect.Value) (jsontext.Value, error) {
	elements, err := elementsOf(raw)
	if err != nil {
		return nil, err
	}
	if len(elements) != was.Len() {
		return nil, errLossy
	}
	var names []string // of was, once one is asked for
	out := make([]jsontext.Value, want.Len())
	next := 0
	for i := range out {
		at := next
		for at < was.Len() && !equal(was.Index(at), want.Index(i), true) {
			at++
		}
		if at < was.Len() {
			out[i], next = elements[at], at+1
			continue
		}
		if out[i], err = json.Marshal(want.Index(i).Interface()); err != nil {
			return nil, fmt.Errorf("document: %w", err)
		}
		name := nameOf(out[i])
		if name == "" {
			continue
		}
		if names == nil {
			if names, err = namesOf(was); err != nil {
				return nil, err
			}
		}
		if at = slices.Index(names[next:], name); at < 0 {
			continue
		}
		at += next
		if out[i], err = mergeValue(elements[at], was.Index(at), want.Index(i)); err != nil {
			return nil, err
		}
		next = at + 1
	}
	return joinArray(out), nil
}

func namesOf(list reflect.Value) ([]string, error) {
	names := make([]string, list.Len())
	for i := range names {
		data, err := json.Marshal(list.Index(i).Interface())
		if err != nil {
			return nil, fmt.Errorf("document: %w", err)
		}
		names[i] = nameOf(data)
	}
	return names, nil
}

// leftOut reports whether encoding/json leaves a field out.
func leftOut(option string, v reflect.Value) bool {
	if option != "omitempty" {
		return false
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

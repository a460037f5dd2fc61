package bundle

import (
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// leaves calls f with each value of v that holds no others, settable.
func leaves(v reflect.Value, f func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			leaves(v.Elem(), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			leaves(v.Field(i), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			leaves(v.Index(i), f)
		}
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Uint16:
		f(v)
	}
}

func changed(v reflect.Value) reflect.Value {
	other := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		other.SetString(v.String() + "x")
	case reflect.Bool:
		other.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		other.SetInt(v.Int() + 1)
	default:
		other.SetUint(v.Uint() ^ 1)
	}
	return other
}

// A change of any single value is seen, and nothing else is.
func TestEqual(t *testing.T) {
	for name, raw := range realSpecs(t) {
		a, err := Decode[specs.Spec](raw)
		if err != nil {
			continue
		}
		b, _ := Decode[specs.Spec](raw)
		x, y := reflect.ValueOf(a.Value), reflect.ValueOf(b.Value)
		if !equal(x, y, false) || !equal(x, y, true) {
			t.Errorf("%s differs from itself", name)
		}
		leaves(y, func(v reflect.Value) {
			was := reflect.New(v.Type()).Elem()
			was.Set(v)
			v.Set(changed(v))
			if equal(x, y, false) || equal(x, y, true) {
				t.Errorf("%s: a changed %s is not seen", name, v.Type())
			}
			v.Set(was)
		})
	}
	none, empty := specs.Spec{}, specs.Spec{Mounts: []specs.Mount{}, Annotations: map[string]string{}}
	x, y := reflect.ValueOf(&none), reflect.ValueOf(&empty)
	if equal(x, y, false) || !equal(x, y, true) {
		t.Error("an empty list is not told from none, or is where it should not be")
	}
	for _, pair := range [][2]specs.Spec{
		{{Annotations: map[string]string{"a": "b"}}, {Annotations: map[string]string{"a": "c"}}},
		{{Annotations: map[string]string{"a": "b"}}, {Annotations: map[string]string{"c": "b"}}},
		{{Process: &specs.Process{}}, {}},
		{{Mounts: []specs.Mount{{}}}, {}},
	} {
		x, y := reflect.ValueOf(&pair[0]), reflect.ValueOf(&pair[1])
		if equal(x, y, true) || equal(y, x, true) {
			t.Errorf("%+v is not told from %+v", pair[0], pair[1])
		}
	}
}

package bundle

import "reflect"

// equal is reflect.DeepEqual without copies, for the types of the OCI spec: no
// cycles, no functions. With empty, a list or map of nothing is none.
func equal(a, b reflect.Value, empty bool) bool {
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return a.Pointer() == b.Pointer() || equal(a.Elem(), b.Elem(), empty)
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i), empty) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() || !empty && a.IsNil() != b.IsNil() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i), empty) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() || !empty && a.IsNil() != b.IsNil() {
			return false
		}
		for key, value := range a.Seq2() {
			other := b.MapIndex(key)
			if !other.IsValid() || !equal(value, other, empty) {
				return false
			}
		}
		return true
	case reflect.String:
		return a.String() == b.String()
	case reflect.Interface, reflect.Array, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return reflect.DeepEqual(a.Interface(), b.Interface())
	}
	return a.Equal(b)
}

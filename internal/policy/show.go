package policy

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Show prints the policy in force, every profile resolved, with the place that
// set each value behind it.
func Show(p *Policy) string {
	w := &printer{}
	w.b.WriteString("version: 1\n")
	w.fields(reflect.ValueOf(*p), "", "")
	w.b.WriteString("profiles:\n")
	for _, name := range slices.Sorted(maps.Keys(p.Profiles)) {
		prof := p.Profiles[name]
		fmt.Fprintf(&w.b, "  %s:\n", quote(name))
		w.origin = prof.Origin
		w.fields(reflect.ValueOf(*prof), "    ", "")
		w.origin = nil
	}
	return w.b.String()
}

// printer writes YAML with the reader's own names.
type printer struct {
	b      strings.Builder
	origin map[string]string
}

func (w *printer) fields(v reflect.Value, indent, key string) {
	for i := range v.NumField() {
		name, unit := fieldName(v.Type().Field(i))
		if name == "" || unset(v.Field(i)) {
			continue
		}
		w.field(v.Field(i), indent, name, join(key, name), unit)
	}
}

// unset is what a file need not say: a missing ceiling, an empty name.
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.String, reflect.Map:
		return v.IsZero()
	case reflect.Slice:
		return v.Type() == reflect.TypeFor[[]Claim]() && v.Len() == 0
	}
	return false
}

func (w *printer) field(v reflect.Value, indent, name, key, unit string) {
	v = reflect.Indirect(v)
	from := ""
	if at := w.origin[key]; at != "" {
		from = " # " + at
	}
	switch v.Kind() {
	case reflect.Struct:
		if v.IsZero() && v.NumField() > 0 && v.Field(0).Kind() == reflect.Pointer {
			return // no ceiling is set
		}
		fmt.Fprintf(&w.b, "%s%s:%s\n", indent, name, from)
		w.fields(v, indent+"  ", key)
	case reflect.Map:
		fmt.Fprintf(&w.b, "%s%s:%s\n", indent, name, from)
		for _, k := range slices.Sorted(maps.Keys(stringKeys(v))) {
			w.field(stringKeys(v)[k], indent+"  ", k, join(key, k), "")
		}
	case reflect.Slice:
		if v.Len() == 0 {
			fmt.Fprintf(&w.b, "%s%s: []%s\n", indent, name, from)
			return
		}
		fmt.Fprintf(&w.b, "%s%s:%s\n", indent, name, from)
		for i := range v.Len() {
			fmt.Fprintf(&w.b, "%s  - %s\n", indent, flow(v.Index(i), unit))
		}
	default:
		fmt.Fprintf(&w.b, "%s%s: %s%s\n", indent, name, flow(v, unit), from)
	}
}

func stringKeys(v reflect.Value) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	for _, k := range v.MapKeys() {
		all[k.String()] = v.MapIndex(k)
	}
	return all
}

// flow writes a value on one line.
func flow(v reflect.Value, unit string) string {
	v = reflect.Indirect(v)
	switch v.Kind() {
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			if name, u := fieldName(v.Type().Field(i)); name != "" && !unset(v.Field(i)) {
				parts = append(parts, name+": "+flow(v.Field(i), u))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Map:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(stringKeys(v))) {
			parts = append(parts, quote(k)+": "+flow(stringKeys(v)[k], ""))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case reflect.Slice:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, flow(v.Index(i), unit))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.String:
		return quote(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	}
	n := int64(0)
	switch {
	case v.CanInt():
		n = v.Int()
	case v.CanUint():
		n = int64(v.Uint()) //nolint:gosec // written as it was read
	}
	switch unit {
	case milliUnit:
		return strconv.FormatInt(n, 10) + "m"
	case octalUnit:
		return fmt.Sprintf("%q", fmt.Sprintf("%04o", n))
	}
	return strconv.FormatInt(n, 10)
}

// quote writes a string as YAML reads it back: JSON's form is YAML's.
func quote(s string) string {
	plain := s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r < '0' && r != '/' && r != '-' && r != '.' || r > '9' && r < 'A' || r > 'Z' && r < '_' || r > 'z'
	}) && strings.Trim(s[:1], "-.0123456789") != "" && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}, strings.ToLower(s))
	if plain {
		return s
	}
	return strconv.Quote(s)
}

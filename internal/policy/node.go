package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Error is one error in a policy file.
type Error struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Key     string `json:"key"`
	Message string `json:"message"`
	// Suggestion is the nearest valid name, where there is a near one.
	Suggestion string `json:"suggestion,omitempty"`
}

func (e Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Key != "" {
		s += e.Key + ": "
	}
	s += e.Message
	if e.Suggestion != "" {
		s += "; did you mean " + strconv.Quote(e.Suggestion) + "?"
	}
	return s
}

// Errors is every error of a policy file.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// reader decodes YAML nodes into structs by their json tags. It collects every
// error with its place, and notes which line set which key.
type reader struct {
	file   string
	errs   Errors
	origin map[string]string
}

func (r *reader) fail(n *yaml.Node, key, suggestion, format string, args ...any) {
	r.errs = append(r.errs, Error{r.file, n.Line, n.Column, key, fmt.Sprintf(format, args...), suggestion})
}

func (r *reader) value(n *yaml.Node, key, unit string, v reflect.Value) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		r.fail(n, key, "", "anchors and aliases are not read")
		return
	}
	if r.origin != nil && (!strings.Contains(key, "[") || isNetwork(key)) { // a list is set as a whole
		r.origin[key] = fmt.Sprintf("%s:%d", r.file, n.Line)
	}
	if v.Kind() == reflect.Pointer {
		if n.Kind == yaml.ScalarNode && n.Value == None {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.Type() == reflect.TypeFor[Accepted]() && n.Kind == yaml.ScalarNode {
		r.fail(n, key, "", "a version alone is not taken: write {version: %q, because: WHY, open: [CVE-...]}; without open, the error at create lists what stays open", n.Value)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		r.object(n, key, v)
	case reflect.Map:
		r.mapping(n, key, v)
	case reflect.Slice:
		r.list(n, key, v)
	default:
		r.scalar(n, key, unit, v)
	}
}

// pairs walks a mapping's members and reports duplicates.
func (r *reader) pairs(n *yaml.Node, key string, each func(k, v *yaml.Node)) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // "key:" with nothing behind it
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, key, "", "want a mapping")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if line, twice := seen[k.Value]; twice {
			r.fail(k, join(key, k.Value), "", "given twice, first on line %d", line)
			continue
		}
		seen[k.Value] = k.Line
		each(k, n.Content[i+1])
	}
}

func (r *reader) object(n *yaml.Node, key string, v reflect.Value) {
	r.pairs(n, key, func(k, val *yaml.Node) {
		var names []string
		for i := range v.NumField() {
			name, unit := fieldName(v.Type().Field(i))
			if name == "" {
				continue
			}
			if name == k.Value {
				r.value(val, join(key, name), unit, v.Field(i))
				return
			}
			names = append(names, name)
		}
		r.fail(k, join(key, k.Value), nearest(k.Value, names), "unknown key")
	})
}

// fieldName is what the policy file calls a field, and its unit. The tag
// `policy:"name,unit"` wins over the json name; "-" hides the field.
func fieldName(f reflect.StructField) (name, unit string) {
	name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
	if tag, ok := f.Tag.Lookup("policy"); ok {
		own, u, _ := strings.Cut(tag, ",")
		if own == "-" {
			return "", ""
		}
		if own != "" {
			name = own
		}
		unit = u
	}
	return name, unit
}

func (r *reader) mapping(n *yaml.Node, key string, v reflect.Value) {
	// A fresh map: the parent's is shared.
	fresh := reflect.MakeMap(v.Type())
	for _, k := range v.MapKeys() {
		fresh.SetMapIndex(k, v.MapIndex(k))
	}
	v.Set(fresh)
	r.pairs(n, key, func(k, val *yaml.Node) {
		if names := keysOf(v.Type(), key); names != nil && !slices.Contains(names, k.Value) {
			r.fail(k, join(key, k.Value), nearest(k.Value, names), "unknown key")
			return
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		r.value(val, join(key, k.Value), "", elem)
		v.SetMapIndex(reflect.ValueOf(k.Value), elem)
	})
}

// None lifts a limit that a profile has from the one that it extends.
const None = "none"

// inherited stands for all that the profile that is extended has in a list.
// Without it a list replaces that one.
const inherited = "inherited"

func (r *reader) list(n *yaml.Node, key string, v reflect.Value) {
	n = listed(n, v.Type())
	if n.Kind != yaml.SequenceNode {
		r.fail(n, key, "", "want a list")
		return
	}
	all := reflect.MakeSlice(v.Type(), 0, v.Len()+len(n.Content))
	for i, c := range n.Content {
		at := key + "[" + strconv.Itoa(i) + "]"
		if c.Kind == yaml.ScalarNode && c.Value == inherited {
			if i > 0 || r.origin == nil {
				r.fail(c, at, "", "inherited is for the first item of a list of a profile")
			} else {
				all = reflect.AppendSlice(all, v) // a copy: the parent's is shared
			}
			continue
		}
		if key == "egress.allow" && c.Kind == yaml.MappingNode {
			r.named(c, at)
		}
		item := reflect.New(v.Type().Elem()).Elem()
		at = key + "[" + strconv.Itoa(all.Len()) + "]" // where it is when what is inherited is counted
		r.value(c, at, "", item)
		all = reflect.Append(all, item)
	}
	v.Set(all)
}

func (r *reader) scalar(n *yaml.Node, key, unit string, v reflect.Value) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.fail(n, key, "", "want a value")
		return
	}
	if names := valuesOf(v.Type()); names != nil && !slices.Contains(names, n.Value) {
		r.fail(n, key, nearest(n.Value, names), "%q is not one of %s", n.Value, strings.Join(names, ", "))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Tag != "!!bool" {
			r.fail(n, key, "", "want true or false")
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		i, err := number(n.Value, unit)
		if err != nil || v.CanInt() && v.OverflowInt(i) || v.CanUint() && (i < 0 || v.OverflowUint(uint64(i))) {
			r.fail(n, key, "", "%q is not %s", n.Value, unitName(unit))
			return
		}
		if v.CanInt() {
			v.SetInt(i)
		} else {
			v.SetUint(uint64(i))
		}
	}
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

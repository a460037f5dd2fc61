package policy

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/go-units"

	"github.com/hatchdog/hatchdog/profiles"
)

const referenceFile = "../../docs/policy.md"

// The reference in the documentation has every key that is read and no other.
// `make golden` writes it anew, between its two marks.
func TestGoldenReference(t *testing.T) {
	const begin, end = "<!-- made by make golden: begin -->\n", "<!-- made by make golden: end -->"
	data, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	old, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks", referenceFile)
	}
	want := reference(t)
	if *update {
		if err := os.WriteFile(referenceFile, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		old = want
	}
	if old != want {
		t.Errorf("%s is not what the reader reads; run make golden", referenceFile)
	}
}

func reference(t *testing.T) string {
	var b strings.Builder
	table := func(title, about string, typ reflect.Type) {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| key | value | meaning |\n|---|---|---|\n", title, about)
		keyRows(t, &b, typ, "")
	}
	b.WriteString("\n| key | value | meaning |\n|---|---|---|\n| `version` | `1` | the version of this format; every file has it |\n")
	keyRows(t, &b, reflect.TypeFor[Policy](), "")
	b.WriteString("| `profiles` | mapping | profiles by name; each `extends` another |\n")
	table("Keys of a profile", "All are optional but `extends`. A rule may hold them too, for its own workloads.", reflect.TypeFor[Profile]())
	fmt.Fprintf(&b, "\nThe controls of `onExcess` are `%s`.\n", strings.Join(controlNames(), "`, `"))
	fmt.Fprintf(&b, "\n### What the built-in profiles hold\n\n| key | %s |\n|---|%s\n", strings.Join(profiles.Names(), " | "), strings.Repeat("---|", len(profiles.Names())))
	var values []reflect.Value
	p, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range profiles.Names() {
		values = append(values, reflect.ValueOf(*p.Profiles[builtinPrefix+name]))
	}
	valueRows(&b, values, "")
	return b.String() + "\n"
}

func keyRows(t *testing.T, b *strings.Builder, typ reflect.Type, prefix string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, unit := fieldName(f)
		if name == "" {
			continue
		}
		about := describe(typ.Name() + "." + name)
		if about == "" {
			t.Errorf("%s.%s has no description", typ.Name(), name)
		}
		elem := f.Type
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		row := func(key, value string) {
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", key, value, strings.ReplaceAll(about, "*", `\*`))
		}
		switch {
		case elem.Kind() == reflect.Struct:
			row(prefix+name, "mapping")
			keyRows(t, b, elem, prefix+name+".")
		case elem.Kind() == reflect.Slice && elem.Elem().Kind() == reflect.Struct:
			row(prefix+name, "list of mappings")
			keyRows(t, b, elem.Elem(), prefix+name+"[].")
		case elem.Kind() == reflect.Map && elem.Elem().Kind() == reflect.Struct:
			row(prefix+name, "mapping by name")
			keyRows(t, b, elem.Elem(), prefix+name+".NAME.")
		case f.Type.Kind() == reflect.Pointer:
			row(prefix+name, valueWords(elem, unit)+", or `none`")
		default:
			row(prefix+name, valueWords(elem, unit))
		}
	}
}

func valueWords(t reflect.Type, unit string) string {
	if names := valuesOf(t); names != nil {
		return "`" + strings.Join(names, "`, `") + "`"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list of " + strings.Replace(valueWords(t.Elem(), ""), "integer", "integers", 1)
	case reflect.Map:
		return "mapping to " + valueWords(t.Elem(), "")
	case reflect.Bool:
		return "`true`, `false`"
	case reflect.String:
		return "text"
	}
	switch unit {
	case bytesUnit:
		return "size, as `512MiB`"
	case milliUnit:
		return "CPUs, as `1.5` or `500m`"
	case bitsUnit:
		return "bits in a second, as `100Mbit`"
	case octalUnit:
		return "octal, as `\"0027\"`"
	}
	return "integer"
}

// valueRows compares the values of several profiles.
func valueRows(b *strings.Builder, all []reflect.Value, prefix string) {
	for i := range all[0].NumField() {
		name, unit := fieldName(all[0].Type().Field(i))
		if name == "" || name == "description" {
			continue
		}
		fields := make([]reflect.Value, len(all))
		for j, v := range all {
			fields[j] = v.Field(i)
		}
		if fields[0].Kind() == reflect.Struct {
			valueRows(b, fields, prefix+name+".")
			continue
		}
		fmt.Fprintf(b, "| `%s` |", prefix+name)
		for _, f := range fields {
			fmt.Fprintf(b, " %s |", brief(f, unit))
		}
		b.WriteString("\n")
	}
}

func brief(v reflect.Value, unit string) string {
	const most = 10 // of a list of words
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return "-"
	case unit == bytesUnit:
		return units.BytesSize(float64(reflect.Indirect(v).Int()))
	case v.Kind() == reflect.Map:
		var parts []string
		for _, k := range sortedKeys(v) {
			parts = append(parts, k+": "+flow(stringKeys(v)[k], ""))
		}
		return strings.Join(parts, ", ")
	case v.Kind() != reflect.Slice:
		return flow(v, unit)
	case v.Len() == 0:
		return "none"
	case v.Len() > most || v.Type().Elem().Kind() == reflect.Struct:
		return strconv.Itoa(v.Len()) + " entries"
	}
	var parts []string
	for i := range v.Len() {
		parts = append(parts, v.Index(i).String())
	}
	return strings.ReplaceAll(strings.Join(parts, " "), "*", `\*`)
}

func sortedKeys(v reflect.Value) []string {
	keys := make([]string, 0, v.Len())
	for k := range stringKeys(v) {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

package policy

import (
	"reflect"
	"slices"

	"github.com/hatchdog/hatchdog/profiles"
)

// Schema is the JSON Schema (2020-12) of a policy file. It is made from the
// types that the file is read into, and from the same lists of names.
func Schema() map[string]any {
	top := objectSchema(reflect.TypeFor[Policy](), "")
	props := top["properties"].(map[string]any)
	props["version"] = map[string]any{"const": 1}
	runtime := props["runtime"]
	props["runtime"] = map[string]any{"oneOf": []any{runtime, map[string]any{"type": "string", "description": "the path alone"}}}
	profile := objectSchema(reflect.TypeFor[Profile](), "")
	profile["properties"].(map[string]any)["extends"] = map[string]any{
		"type": "string", "description": "the profile that this one starts from", "examples": builtinNames(),
	}
	profile["required"] = []string{"extends"}
	inheritable(profile)
	props["profiles"] = map[string]any{"type": "object", "additionalProperties": profile}
	// A rule may hold the keys of a profile, for its workloads alone.
	rule := props["rules"].(map[string]any)["items"].(map[string]any)["properties"].(map[string]any)
	for name, s := range objectSchema(reflect.TypeFor[Profile](), "")["properties"].(map[string]any) {
		inheritable(s.(map[string]any))
		rule[name] = s
	}
	top["required"] = []string{"version"}
	top["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	top["title"] = "hatchdog policy"
	return top
}

// inheritable lets the first item of each list of a profile be "inherited".
func inheritable(s map[string]any) {
	if items, ok := s["items"]; ok {
		s["prefixItems"] = []any{map[string]any{"anyOf": []any{map[string]any{"const": inherited}, items}}}
	}
	props, _ := s["properties"].(map[string]any)
	for _, p := range props {
		inheritable(p.(map[string]any))
	}
}

func builtinNames() []string {
	var names []string
	for _, n := range profiles.Names() {
		names = append(names, builtinPrefix+n)
	}
	return names
}

func objectSchema(t reflect.Type, key string) map[string]any {
	props := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, unit := fieldName(f); name != "" {
			s := typeSchema(f.Type, join(key, name), unit)
			if about := describe(join(t.Name(), name)); about != "" {
				s["description"] = about
			}
			if t == reflect.TypeFor[EgressRules]() && name == "allow" {
				s["items"] = map[string]any{"anyOf": []any{s["items"], map[string]any{
					"type": "object", "additionalProperties": false, "required": []string{"name"},
					"properties": map[string]any{"name": map[string]any{"type": "string"}, "private": map[string]any{"type": "boolean"}},
				}}}
			}
			props[name] = s
		}
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": props}
}

func typeSchema(t reflect.Type, key, unit string) map[string]any {
	if names := valuesOf(t); names != nil {
		return map[string]any{"enum": names}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{typeSchema(t.Elem(), key, unit), map[string]any{"const": None}}}
	case reflect.Struct:
		return objectSchema(t, "")
	case reflect.Slice:
		if t == reflect.TypeFor[Answers]() {
			one := typeSchema(t.Elem(), key, unit)
			return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one}}}
		}
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), key, unit)}
	case reflect.Map:
		s := map[string]any{"type": "object", "additionalProperties": typeSchema(t.Elem(), key, unit)}
		if names := keysOf(t, key); names != nil {
			s["propertyNames"] = map[string]any{"enum": slices.Clone(names)}
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	return numberSchema(unit)
}

func numberSchema(unit string) map[string]any {
	switch unit {
	case bytesUnit:
		return map[string]any{"type": []string{"integer", "string"}, "pattern": "^[0-9]+([KMGTkmgt]([iI]?[bB])?|[bB])?$", "minimum": 0}
	case milliUnit:
		return map[string]any{"type": []string{"number", "string"}, "pattern": "^[0-9]+(\\.[0-9]+)?m?$", "exclusiveMinimum": 0}
	case bitsUnit:
		return map[string]any{"type": []string{"integer", "string"}, "pattern": "^[0-9]+([kKMG]?bit)?$", "minimum": leastRate}
	case octalUnit:
		return map[string]any{"type": []string{"integer", "string"}, "pattern": "^(0o)?[0-7]+$"}
	}
	return map[string]any{"type": "integer"}
}

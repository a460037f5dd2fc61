package policy

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Every key that the reader takes is in the schema with a description.
func TestSchemaHasEveryKey(t *testing.T) {
	var walk func(s map[string]any, at string)
	keys := 0
	walk = func(s map[string]any, at string) {
		for _, nested := range []string{"items", "additionalProperties"} {
			if sub, ok := s[nested].(map[string]any); ok {
				walk(sub, at+"[]")
			}
		}
		props, _ := s["properties"].(map[string]any)
		for name, p := range props {
			keys++
			prop := p.(map[string]any)
			if prop["description"] == nil && name != "version" && name != "runtime" && name != "profiles" {
				t.Errorf("%s.%s has no description", at, name)
			}
			walk(prop, at+"."+name)
		}
	}
	s := Schema()
	walk(s, "")
	if keys < 60 {
		t.Errorf("only %d keys", keys)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
	for i := range reflect.TypeFor[Profile]().NumField() {
		name, _ := fieldName(reflect.TypeFor[Profile]().Field(i))
		profile := s["properties"].(map[string]any)["profiles"].(map[string]any)["additionalProperties"].(map[string]any)
		if name != "" && profile["properties"].(map[string]any)[name] == nil {
			t.Errorf("profiles.%s is not in the schema", name)
		}
	}
}

// What Show prints reads back as the same ceilings.
func TestShowReadsBack(t *testing.T) {
	const text = `version: 1
rules:
  - match: {engine: cri, namespace: "kube-*", sandbox: true}
    profile: baseline
  - match: {image: "*/postgres:*"}
    profile: web
    memory: {max: 1GiB}
offers: [untrusted]
profiles:
  web: {extends: builtin/restricted, cpu: {max: 1.5}, privilege: {umask: "0027"}}
`
	p, errs := build([]source{{"p.yaml", []byte(text)}}, true)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if at := p.Profiles["web"].Where("cpu.max"); at != "p.yaml:10 cpu.max" {
		t.Error(at)
	}
	shown := Show(p)
	for _, want := range []string{"# p.yaml:10", "# builtin/restricted:", "max: 1500m", `umask: "0027"`, `namespace: "kube-*"`} {
		if !strings.Contains(shown, want) {
			t.Errorf("missing %q in\n%s", want, shown)
		}
	}
	for _, name := range []string{"web", "builtin/untrusted"} {
		_, section, found := strings.Cut(shown, "  "+quote(name)+":\n")
		if !found {
			t.Fatalf("no %s in\n%s", name, shown)
		}
		var body strings.Builder
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "    ") {
				break
			}
			body.WriteString(line)
		}
		text := "version: 1\nprofiles:\n  again:\n    extends: builtin/baseline\n" + body.String()
		back, errs := build([]source{{"again.yaml", []byte(text)}}, true)
		if len(errs) > 0 {
			t.Fatalf("%v\n%s", errs, text)
		}
		a, b := *p.Profiles[name], *back.Profiles["again"]
		a.Name, b.Name, a.Origin, b.Origin = "", "", nil, nil
		if diff := cmp.Diff(a, b, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestRuleChangesItsProfile(t *testing.T) {
	p, errs := build([]source{{"p.yaml", []byte("version: 1\nrules:\n  - match: {id: a}\n    profile: restricted\n    memory: {max: 1GiB}\n")}}, false)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	own := p.Profiles[p.Rules[0].Profile]
	if own == nil || *own.Memory.Max != 1<<30 || own.Where("memory.max") != "p.yaml:5 memory.max" || *own.Pids.Max != 1024 {
		t.Errorf("%+v", own)
	}
	if p.Profiles["builtin/restricted"].Memory.Max != nil {
		t.Error("the profile itself was changed")
	}
	if _, errs := build([]source{{"p.yaml", []byte("version: 1\nrules:\n  - match: {id: a}\n    profil: restricted\n")}}, false); len(errs) == 0 {
		t.Error("a misspelt key went through")
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, errs := build(nil, false); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

package bundle

import (
	"encoding/json"
	"reflect"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// runc reads with encoding/json. What we take reads the same there, and the
// short way of Decode takes nothing that the long one refuses.
func sameReading(t *testing.T, raw []byte) {
	t.Helper()
	d, err := Decode[specs.Spec](raw)
	if err != nil {
		return
	}
	var runc specs.Spec
	if err := json.Unmarshal(raw, &runc); err != nil {
		t.Fatalf("accepted what encoding/json refuses: %v", err)
	}
	if !reflect.DeepEqual(d.Value, &runc) {
		t.Fatal("encoding/json reads it in another way")
	}
	if _, short := decodeKnown[specs.Spec](raw); !short {
		return
	}
	if unknown, err := scan(raw, reflect.TypeFor[specs.Spec]()); err != nil || len(unknown) > 0 {
		t.Fatalf("the short way takes what the long one does not: %v %v", err, unknown)
	}
}

func TestSameReadingOfRealSpecs(t *testing.T) {
	for name, raw := range realSpecs(t) {
		t.Run(name, func(t *testing.T) { sameReading(t, raw) })
	}
	if _, short := decodeKnown[specs.Spec](realSpecs(t)["docker-default.json"]); !short {
		t.Error("Docker's spec takes the long way")
	}
}

func FuzzSameReading(f *testing.F) {
	for _, raw := range realSpecs(f) {
		f.Add(raw)
	}
	for _, text := range []string{
		`{"hostname":null,"process":null,"mounts":null}`, `{"process":{"oomScoreAdj":1e2}}`, `{"process":{"rlimits":[{"hard":1.0}]}}`,
		`{"linux":{"resources":{"devices":[{"major":-0}]}}}`, `{"Process":{}}`, `{"hostname":"\ud800"}`, `{"annotations":{"a":"]]]"}}`,
		`{"windows":{"credentialSpec":{"a":[1,null,"x"]}}}`, `{"linux":{"sysctl":{"a":1}}}`, `{"process":{"args":[null]}}`, ` {"x":1} `,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(sameReading)
}

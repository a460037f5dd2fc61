package policy

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/hatchdog/hatchdog/profiles"
)

var update = flag.Bool("update", false, "rewrite the compiled profiles and the reference")

// What hatchdog carries is what profiles/*.yaml says. `make golden` compiles
// anew.
func TestGoldenCompiledProfiles(t *testing.T) {
	b := newBuilder()
	for _, name := range profiles.Names() {
		data, err := os.ReadFile("../../profiles/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		b.file(source{builtinPrefix + name, data}, builtinPrefix)
	}
	for _, name := range profiles.Names() {
		p := b.resolve(builtinPrefix+name, nil)
		if len(b.errs) > 0 {
			t.Fatal(b.errs)
		}
		want, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		file := "../../profiles/compiled/" + name + ".json"
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not what the YAML says; run make golden (%v)", file, err)
		}
	}
}

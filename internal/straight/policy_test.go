package straight

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// Where it is certain here what a policy says of the state directory, that is what
// the policy says.
func TestStateDirIsPolicys(t *testing.T) {
	if !isRoot() {
		return
	}
	file := filepath.Join(t.TempDir(), "policy.yaml")
	t.Setenv("HATCHDOG_POLICY", file)
	line := rapid.SampledFrom([]string{
		"", "# a comment", "  # one that is indented", "---", "...", "%YAML 1.1\n---", "mode: complain", "mode: enforce", "profile: builtin/restricted", "ids: {dir: /x}",
		"ids:\n  dir: /x", `audit: {path: "/y"}`, "audit: {path: '/y\nstateDir: /quoted\nz'}", "profiles: {p: {extends: builtin/restricted}}",
		"ids: {\nstateDir: /flow\n}", "ids:\n  dir: |\n    stateDir: /block", "ids: |\nstateDir: /block",
		"stateDir: /a/b", "stateDir: /a/b", "stateDir: /a/b", "stateDir:  /two/spaces", "stateDir: /a/b # said", "stateDir: '/a'", `stateDir: "/a"`, "stateDir: /a\n  more", "stateDir:\n  /a",
		"stateDir : /a", `"stateDir": /a`, `"state\x44ir": /a`, "'stateDir': /a", "? stateDir\n: /a", "!!str stateDir: /a", "!!binary c3RhdGVEaXI=: /a", "&k stateDir: /a", "stateDir: &v /a",
		"stateDir: /a/../b", "stateDir: /a\r", "stateDir: a", "stateDir: ", "xstateDir: /x", "stateDirs: /x", "\tmode: enforce", "key: [a,\nb]", "  indented: 1",
		"# a\u2028x: {\nstateDir: /flow\n# b\u2028}", "# a\u0085ids: {\nstateDir: /flow\n# b\u0085}", "# a\u2029stateDir: /x", "# ü", "  more", "  stateDir: /more", "#", "# x: {", "# }", "#}", " # stateDir: /x",
		"# it's", "# \"", "statedir: /a", "<<: {stateDir: /a}", "stateDir: /a\n# b\n  more", "stateDir: /a\n#b\n\n  more", "mode: |", "mode: >-", "mode: complain # said", "stateDir: /a#b", "stateDir: /a\v", "- stateDir: /a",
	})
	pieces := rapid.SampledFrom([]string{
		"\n", "\n", "\n", "# ", "#", ": ", ":", " ", "stateDir", "stateDir: /a", "stateDir: /b", "version: 1", "mode", "enforce", "ids", "dir", "/x", "{", "}", "[", "]", "'", `"`, ",", "|", ">", "- ", "? ", "---", "...", "%", "&k", "*k", "<<",
		"\t", "\r", "\f", "\u0085", "\u00a0", "\u2028", "\u2029", "\ufeff", "\\", "!", "\x00", "é", "@", "`",
	})
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		lines := append([]string{"version: 1"}, rapid.SliceOfN(line, 0, 5).Draw(t, "lines")...)
		if rapid.Bool().Draw(t, "of pieces") {
			lines = append(lines, strings.Join(rapid.SliceOfN(pieces, 0, 12).Draw(t, "pieces"), ""))
		}
		if at := rapid.IntRange(0, len(lines)-1).Draw(t, "at"); rapid.Bool().Draw(t, "later") {
			lines[0], lines[at] = lines[at], lines[0]
		}
		text := strings.Join(lines, "\n") + rapid.SampledFrom([]string{"", "\n"}).Draw(t, "end")
		got, ok := stateDirIn(text)
		if !ok {
			return
		}
		if read, said := keyIn(text); read && got != said {
			t.Fatalf("%q: %q, and the library reads %q", text, got, said)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		places, err := policy.LoadPlaces(os.Getenv)
		if err != nil {
			return // with its errors, it is no policy of another place
		}
		if taken++; got == "" {
			got = defaultState
		}
		if got != places.StateDir {
			t.Fatalf("%q: %s, and the policy says %s", text, got, places.StateDir)
		}
	})
	if taken == 0 {
		t.Error("nothing is certain")
	}
}

// keyIn is what the library reads as the value of the document's key, where it reads
// the text as a mapping.
func keyIn(text string) (read bool, value string) {
	var doc yaml.Node
	if yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return false, ""
	}
	pairs := doc.Content[0].Content
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].Value == key {
			return true, pairs[i+1].Value
		}
	}
	return true, ""
}

func TestStateDirInUsualFiles(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"version: 1\nprofile: p\n":     "",
		"version: 1\nstateDir: /a/b\n": "/a/b",
		"# ours\n\nversion: 1\nmode: complain\nstateDir: /a/b\nids: {dir: /x}\nprofiles:\n  p: {extends: \"builtin/restricted\"}\n": "/a/b",
		"stateDir: /a/b": "/a/b",
	} {
		if got, ok := stateDirIn(text); got != want || !ok {
			t.Errorf("%q: %q %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"\xff\xfes\x00t\x00", "version: 1\n\"state\\x44ir\": /a\n", "!!binary c3RhdGVEaXI=: /a\n", "x: {\nstateDir: /a\n}\n", "stateDir: /a\nstateDir: /b\n", "a: 'b\nstateDir: /a\nc'\n", "x: {\nstateDir: /a\n# c\n}\n",
		"# c\u2028x: {\nstateDir: /a\n# c\u2028}\n", "# c\u0085stateDir: /a\n", "stateDir: /a\n# c\n  more\n", "stateDir: /a\n# c\n\n  more\n",
	} {
		if got, ok := stateDirIn(text); ok {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Package compatibility writes docs/compatibility.md from what the tests have
// written down.
package compatibility

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/compatibility.md anew")

const (
	page    = "../../docs/compatibility.md"
	results = "../testdata/compatibility.json" // written by TestEntryPoints
)

// TestGoldenCompatibility holds the page to the results, and each row of it to a
// test that there is. `make golden` writes it.
func TestGoldenCompatibility(t *testing.T) {
	var got map[string]map[string]string
	data, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(opening)
	writeEngines(t, &b, tests(t))
	writeImages(t, &b, got)
	writePrograms(t, &b, got)
	b.WriteString(closing)
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Equal(text, []byte(b.String())) {
		t.Errorf("%s is not what the results say (%v); run make golden", page, err)
	}
}

// tests are the sources of the integration tests.
func tests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	files, _ := filepath.Glob("../*_test.go")
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

func writeEngines(t *testing.T, b *strings.Builder, source string) {
	t.Helper()
	b.WriteString("| |")
	for _, e := range engines {
		fmt.Fprintf(b, " %s |", e)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(engines)) + "\n")
	for _, f := range features {
		if len(f.tests) != len(engines) {
			t.Fatalf("%s: %d engines, want %d", f.name, len(f.tests), len(engines))
		}
		fmt.Fprintf(b, "| %s |", f.name)
		for _, test := range f.tests {
			name, _, _ := strings.Cut(test, " ")
			switch {
			case test == "":
				b.WriteString(" not tried |")
			case strings.HasPrefix(test, "no"):
				fmt.Fprintf(b, " %s |", test)
			case !strings.Contains(source, "func "+name+"(t *testing.T)"):
				t.Errorf("%s: there is no test %s", f.name, name)
			default:
				fmt.Fprintf(b, " `%s`%s |", name, strings.TrimPrefix(test, name))
			}
		}
		b.WriteString("\n")
	}
}

func writeImages(t *testing.T, b *strings.Builder, got map[string]map[string]string) {
	t.Helper()
	b.WriteString(imagesOpening)
	used := map[string]bool{}
	for _, image := range images {
		found := false
		for _, key := range slices.Sorted(maps.Keys(got)) {
			name, variant, _ := strings.Cut(strings.TrimPrefix(key, "image "), ", ")
			if !strings.HasPrefix(key, "image ") || name != image {
				continue
			}
			found, used[key] = true, true
			row(t, b, strings.TrimSuffix(image+" ("+variant+")", " ()"), key, got[key])
		}
		switch as := stands[image]; {
		case !found && as == "":
			fmt.Fprintf(b, "| %s | not tried | not tried |\n", image)
		case !found:
			fmt.Fprintf(b, "| %s | not tried: %s | not tried |\n", image, as)
		}
	}
	for key := range got {
		if strings.HasPrefix(key, "image ") && !used[key] {
			t.Errorf("%s is not among the images of the page", key)
		}
	}
}

func writePrograms(t *testing.T, b *strings.Builder, got map[string]map[string]string) {
	t.Helper()
	b.WriteString(programsOpening)
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if !strings.HasPrefix(key, "image ") {
			row(t, b, key, key, got[key])
		}
	}
}

// row is what becomes of an entry point under each profile. What does not run
// has a reason.
func row(t *testing.T, b *strings.Builder, name, key string, got map[string]string) {
	t.Helper()
	fmt.Fprintf(b, "| %s |", name)
	for _, profile := range []string{"restricted", "untrusted"} {
		what := got[profile]
		if what == "does not run" {
			if reasons[key] == "" {
				t.Errorf("%s does not run under %s, and nothing says why", key, profile)
			}
			what += ": " + reasons[key]
		}
		if lines, with := strings.CutPrefix(what, "runs with "); with {
			var all []string
			for line := range strings.SplitSeq(lines, "; ") {
				all = append(all, map[string]string{stepDown: "(1)", writable: "(2)"}[line])
				if all[len(all)-1] == "" {
					all[len(all)-1] = "`" + line + "`"
				}
			}
			what = strings.Join(all, " ")
		}
		fmt.Fprintf(b, " %s |", what)
	}
	b.WriteString("\n")
}

package plan

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/policy"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// What becomes of each captured request under each built-in profile. `make
// golden` writes the files anew: read the diff.
func TestGoldenOutcomes(t *testing.T) {
	docs, processes := captured(t)
	profiles := builtins(t)
	names := slices.Sorted(maps.Keys(profiles))
	var files []string
	reasons := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		var b strings.Builder
		for _, p := range names {
			o := runSpec(docs[name], profiles[p], false)
			describe(&b, p, o)
			for _, ch := range o.result.Changes {
				field, _, _ := strings.Cut(ch.Field, "[")
				reasons[ch.Control+" "+field+": "+ch.Reason] = true
			}
		}
		files = append(files, compare(t, name, b.String()))
	}
	// A further process is held to a container of Docker's plain run.
	for _, name := range slices.Sorted(maps.Keys(processes)) {
		var b strings.Builder
		for _, p := range names {
			describe(&b, p, runProcess(processes[name], ceilingOf(t, docs["docker-default"], profiles[p])))
		}
		files = append(files, compare(t, name, b.String()))
	}
	// What users read, one line for each place and reason.
	compare(t, "../reasons", strings.Join(slices.Sorted(maps.Keys(reasons)), "\n")+"\n")
	all, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(all) != len(files) {
		t.Errorf("%d golden files for %d requests (%v)", len(all), len(files), err)
	}
}

// ceilingOf is what create leaves in the record.
func ceilingOf(t *testing.T, raw []byte, p *policy.Profile) *policy.Profile {
	t.Helper()
	o := runSpec(raw, p, false)
	container, err := bundle.Decode[specs.Spec](o.after)
	if err != nil {
		t.Fatal(err)
	}
	return p.HeldTo(container.Value)
}

// describe writes what a reviewer has to see: refusals whole, changes without
// their reasons, which reasons.txt holds once. The digest stands for the
// rest of the document.
func describe(b *strings.Builder, profile string, o outcome) {
	fmt.Fprintf(b, "== %s: ", strings.TrimPrefix(profile, "builtin/"))
	switch {
	case o.err != nil:
		fmt.Fprintf(b, "cannot be judged: %v\n\n", o.err)
		return
	case o.after == nil:
		fmt.Fprintf(b, "refused\n")
	default:
		fmt.Fprintf(b, "%d changes, sha256 %x\n", len(o.result.Changes), sha256.Sum256(o.after))
	}
	for _, r := range o.result.Refusals {
		fmt.Fprintf(b, "refused %s\n", r)
	}
	var added []string
	for i, ch := range o.result.Changes {
		// Paths that are added to one list are one line.
		if ch.Before == "" && strings.HasSuffix(ch.Field, "Paths") {
			added = append(added, ch.After)
			if i+1 < len(o.result.Changes) && o.result.Changes[i+1].Field == ch.Field {
				continue
			}
			fmt.Fprintf(b, "%s %s: + %s\n", ch.Control, ch.Field, strings.Join(added, " "))
			added = nil
			continue
		}
		before := ch.Before
		if n := len(strings.Fields(before)); n > 3 {
			before = fmt.Sprintf("(%d)", n) // the request itself is at hand
		}
		fmt.Fprintf(b, "%s %s: %s -> %s\n", ch.Control, ch.Field, before, ch.After)
	}
	b.WriteString("\n")
}

func compare(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join("testdata/golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(want, []byte(text)) {
		t.Errorf("%s is not what comes out (%v); run make golden and read the diff. Now:\n%s", file, err, text)
	}
	return file
}

package door

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/explain"
)

var update = flag.Bool("update", false, "rewrite docs/troubleshooting.md")

const troubleshooting = `# Troubleshooting: why was it refused?

Look for the words of the message: the cause stands between the field and the remedy. This
page is made from the code's own refusals. A test follows the remedy of each to a container
that starts. ` + "`hatchctl explain CONTAINER`" + ` shows the same for yours, with the policy to paste. Names, numbers and paths here are examples.
`

// The page has each reason to refuse that the code has.
func TestGoldenTroubleshooting(t *testing.T) {
	rows := map[string]map[string]bool{}
	for _, c := range slices.Concat(remediesOfControls(), remediesOfHostAccess(), remediesOfMounts(), remediesOfDoors()) {
		r := sound()
		c.ask(r)
		for _, one := range r.judge(t, profileOf(t, "extends: builtin/"+or(c.from, "restricted")+c.profile, "")) {
			if rows[one.Control] == nil {
				rows[one.Control] = map[string]bool{}
			}
			rows[one.Control][troubleRow(one)] = true
		}
	}
	var b strings.Builder
	b.WriteString(troubleshooting)
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		fmt.Fprintf(&b, "\n## %s\n\n| field | cause | remedy | is it wise to admit it? |\n|---|---|---|---|\n", name)
		for _, row := range slices.Sorted(maps.Keys(rows[name])) {
			b.WriteString(row)
		}
	}
	const file = "../../docs/troubleshooting.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := os.ReadFile(file); err != nil || string(page) != b.String() {
		t.Errorf("%s is not what the code refuses; run make golden: %v", file, err)
	}
}

func troubleRow(r *control.Refusal) string {
	cell := func(s string) string { return strings.NewReplacer("|", `\|`, "*", `\*`, "\n", " ").Replace(s) }
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", strings.ReplaceAll(r.Field, "|", `\|`), cell(r.Reason), cell(r.Remedy), cell(explain.Wise(r)))
}

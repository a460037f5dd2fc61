package main

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/decision"
)

// What SARIF 2.1.0 requires (sections 3.13, 3.14, 3.18 to 3.20, 3.27, 3.29),
// and what scanners need to show a result.
func TestSARIFShape(t *testing.T) {
	for name, d := range map[string]decision.Decision{
		"nothing": {},
		"all": {
			Failure:  "no low-level runtime",
			Refusals: []*control.Refusal{{Control: "mounts", Field: "mounts[/x].source", Reason: "no"}, {Control: "mounts", Field: "mounts[/y].source", Reason: "no"}},
			Changes:  []control.Attributed{{Control: "privilege", Change: control.Change{Field: "process.noNewPrivileges", After: "true", Reason: "yes"}}},
		},
	} {
		raw, err := json.Marshal(toSARIF("/a b/config.json", d))
		if err != nil {
			t.Fatal(err)
		}
		var log map[string]any
		if err := json.Unmarshal(raw, &log); err != nil {
			t.Fatal(err)
		}
		if log["version"] != "2.1.0" || log["$schema"] == "" {
			t.Errorf("%s: version %v", name, log["version"])
		}
		runs, _ := log["runs"].([]any)
		if len(runs) != 1 {
			t.Fatalf("%s: %d runs", name, len(runs))
		}
		run := runs[0].(map[string]any)
		driver := run["tool"].(map[string]any)["driver"].(map[string]any)
		if driver["name"] != "hatchdog" {
			t.Errorf("%s: driver %v", name, driver)
		}
		var rules []string
		for _, r := range driver["rules"].([]any) { // null would be no array
			id := r.(map[string]any)["id"].(string)
			if id == "" || slices.Contains(rules, id) {
				t.Errorf("%s: rule %q is empty or twice", name, id)
			}
			rules = append(rules, id)
		}
		results := run["results"].([]any)
		if want := len(d.Refusals) + len(d.Changes); name == "all" && len(results) != want+1 {
			t.Errorf("%d results, want %d", len(results), want+1)
		}
		for _, r := range results {
			checkResult(t, r.(map[string]any), rules)
		}
	}
}

func checkResult(t *testing.T, r map[string]any, rules []string) {
	t.Helper()
	if id, _ := r["ruleId"].(string); !slices.Contains(rules, id) {
		t.Errorf("ruleId %q is not among the rules", id)
	}
	if level, _ := r["level"].(string); !slices.Contains([]string{"none", "note", "warning", "error"}, level) {
		t.Errorf("level %q", level)
	}
	if text, _ := r["message"].(map[string]any)["text"].(string); text == "" {
		t.Errorf("no text: %v", r)
	}
	for _, l := range r["locations"].([]any) {
		at := l.(map[string]any)["physicalLocation"].(map[string]any)["artifactLocation"].(map[string]any)
		u, err := url.Parse(at["uri"].(string))
		if err != nil || u.Path != "/a b/config.json" || u.String() != "/a%20b/config.json" {
			t.Errorf("uri %v: %v", at["uri"], err)
		}
	}
}

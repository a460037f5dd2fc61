package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/policy"
)

var remedy = regexp.MustCompile("`([a-zA-Z]+: [^`]*)`")

// What the page of a profile offers as a remedy is a line of a profile that
// extends it, and says something else than it does.
func TestRemediesOfProfilePages(t *testing.T) {
	dir := t.TempDir()
	for name, page := range pages(t) {
		profile, ok := strings.CutPrefix(name, "docs/profiles/")
		if !ok {
			continue
		}
		base := "version: 1\nprofiles:\n  p:\n    extends: builtin/" + strings.TrimSuffix(profile, ".md") + "\n"
		shown := func(text string) string {
			file := dir + "/policy.yaml"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			pol, err := policy.LoadFile(file)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return ""
			}
			p := *pol.Profiles["p"]
			p.Origin = nil
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		_, tail, _ := strings.Cut(page, "<!-- made by make golden: end of breaks -->")
		found := remedy.FindAllStringSubmatch(tail, -1)
		if len(found) < 2 {
			t.Errorf("%s offers %d remedies", name, len(found))
		}
		for _, m := range found {
			if shown(base+"    "+m[1]+"\n") == shown(base) {
				t.Errorf("%s: %s changes nothing", name, m[1])
			}
		}
	}
}

var place = regexp.MustCompile(`policy: (builtin/\w+):(\d+) ([\w.]+)\)`)

// The site has each page. Its own tests look at the rest.
func TestDocsAreInTheMenu(t *testing.T) {
	menu, err := os.ReadFile(top + "docs/site/nav.go")
	if err != nil {
		t.Fatal(err)
	}
	for name := range pages(t) {
		if !strings.Contains(string(menu), strconv.Quote(name)) {
			t.Errorf("docs/site/nav.go has no line for %s", name)
		}
	}
}

// A line of a built-in profile that a page names has that key.
func TestDocsNameLinesOfProfiles(t *testing.T) {
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, page := range pages(t) {
		for _, m := range place.FindAllStringSubmatch(page, -1) {
			seen++
			if got := "policy: " + pol.Profiles[m[1]].Where(m[3]) + ")"; got != m[0] {
				t.Errorf("%s: %s, and the profile has %s", name, m[0], got)
			}
		}
	}
	if seen == 0 {
		t.Error("no line of a profile is named")
	}
}

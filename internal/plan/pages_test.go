package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/explain"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/profiles"
)

// The page of each built-in profile has what the profile does to real requests,
// and what became of real entry points under it. `make golden` writes it anew,
// between its marks.
func TestGoldenProfilePages(t *testing.T) {
	docs, _ := captured(t)
	all := builtins(t)
	results := entryPoints(t)
	for _, name := range profiles.Names() {
		if name == "sandbox" {
			continue // no engine asks for it: docs/sandbox.md is its page
		}
		file := "../../docs/profiles/" + name + ".md"
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p := all["builtin/"+name]
		page := string(data)
		for mark, text := range map[string]string{
			"loses":  loses(t, docs["docker-current-default"], p),
			"asks":   asks(t, docs, p),
			"breaks": breaks(t, name, results),
		} {
			page = between(t, file, page, mark, text)
		}
		if *update {
			if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if page != string(data) {
			t.Errorf("%s is not what the profile does; run make golden", file)
		}
	}
}

// between puts text between the two marks of a page.
func between(t *testing.T, file, page, mark, text string) string {
	t.Helper()
	begin, end := "<!-- made by make golden: "+mark+" -->\n", "<!-- made by make golden: end of "+mark+" -->"
	head, rest, ok := strings.Cut(page, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks of %s", file, mark)
	}
	return head + begin + text + end + tail
}

// entryPoints are what TestEntryPoints wrote down, by program and profile.
func entryPoints(t *testing.T) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../integration/testdata/compatibility.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

var cell = strings.NewReplacer("|", `\|`, "*", `\*`, "\n", " ")

// loses is what changes in a container that Docker 29 starts with its defaults.
func loses(t *testing.T, raw []byte, p *policy.Profile) string {
	t.Helper()
	o := runSpec(raw, p, false)
	if len(o.result.Changes) == 0 {
		t.Fatalf("%s changes nothing", p.Name)
	}
	var b strings.Builder
	b.WriteString("\nIt can no longer\n\n")
	for _, what := range explain.Cannot(o.result.Changes, p) {
		fmt.Fprintf(&b, "- %s\n", what)
	}
	for _, s := range explain.Sections(o.result.Changes) {
		fmt.Fprintf(&b, "\n### %s\n\n| field | Docker | this profile | why |\n|---|---|---|---|\n", s.Title)
		for _, same := range alike(explain.Short(s.Changes)) {
			var fields []string
			for _, c := range same {
				fields = append(fields, "`"+c.Field+"`")
			}
			c := same[0]
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", strings.Join(fields, " "), value(c.Before), value(c.After), cell.Replace(c.Reason))
		}
	}
	return b.String() + "\n"
}

// alike puts neighbours together that say the same of several fields.
func alike(changes []control.Attributed) [][]control.Attributed {
	var groups [][]control.Attributed
	for _, c := range changes {
		if n := len(groups); n > 0 {
			if p := groups[n-1][0]; p.Before == c.Before && p.After == c.After && p.Reason == c.Reason {
				groups[n-1] = append(groups[n-1], c)
				continue
			}
		}
		groups = append(groups, []control.Attributed{c})
	}
	return groups
}

func value(s string) string {
	const most = 10
	s = strings.TrimSuffix(s, " (--all)")
	switch n := len(explain.Items(s)); {
	case s == "":
		return "-"
	case n > most:
		return fmt.Sprintf("%d of them", n)
	}
	return cell.Replace(s)
}

// dockerOptions are some of docker run, the request that Docker makes of each, and
// what the container gets where the option is admitted.
var dockerOptions = []struct{ option, request, gets string }{
	{"--privileged", "docker-current-privileged", ""},
	{"--cap-add ALL", "docker-current-cap-add-all", "no capability that the profile does not grant"},
	{"--security-opt seccomp=unconfined", "docker-current-seccomp-unconfined", "the filter of the profile"},
	{"--security-opt systempaths=unconfined", "docker-current-systempaths", "the masked paths of the profile"},
	{"--network host", "docker-current-host-net", ""},
	{"--pid host", "docker-current-host-pid", ""},
	{"--ipc host --uts host", "docker-current-host-ipc-uts", ""},
	{"-v /:/host", "docker-host-root", ""},
	{"-v /var/run/docker.sock:/var/run/docker.sock", "docker-sock", ""},
	{"--sysctl net.ipv4.ip_forward=1", "docker-current-sysctl", ""},
	{"-v VOLUME:/data", "docker-current-volume", "the volume"},
	{"--user 1000", "docker-current-user", "that user"},
}

// asks is what becomes of requests for more.
func asks(t *testing.T, docs map[string][]byte, p *policy.Profile) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| `docker run` with | answer | what it gets, or why not |\n|---|---|---|\n")
	for _, o := range dockerOptions {
		got := runSpec(docs[o.request], p, false)
		if len(got.result.Refusals) == 0 {
			if o.gets == "" {
				t.Errorf("%s is admitted under %s", o.option, p.Name)
			}
			fmt.Fprintf(&b, "| `%s` | starts | %s |\n", o.option, o.gets)
			continue
		}
		var why []string
		for _, r := range got.result.Refusals {
			why = append(why, "`"+r.Field+"`: "+cell.Replace(r.Reason))
		}
		fmt.Fprintf(&b, "| `%s` | is refused | %s |\n", o.option, strings.Join(why, "; "))
	}
	return b.String() + "\n"
}

// breaks is what did not run unchanged, by what it runs with.
func breaks(t *testing.T, name string, results map[string]map[string]string) string {
	t.Helper()
	by := map[string][]string{}
	for key, got := range results {
		if what := got[name]; what != "" {
			by[what] = append(by[what], strings.TrimPrefix(key, "image "))
		}
	}
	var b strings.Builder
	list := func(what string) string { return strings.Join(slices.Sorted(slices.Values(by[what])), "; ") }
	if len(by["runs"]) > 0 {
		fmt.Fprintf(&b, "\n%d run as they are: %s.\n", len(by["runs"]), list("runs"))
	}
	for _, what := range slices.SortedFunc(maps.Keys(by), func(a, b string) int {
		if n := len(by[b]) - len(by[a]); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	}) {
		lines, with := strings.CutPrefix(what, "runs with ")
		if !with {
			continue
		}
		fmt.Fprintf(&b, "\nTo run **%s**:\n\n```yaml\nversion: 1\nprofiles:\n  wider:\n    extends: builtin/%s\n", list(what), name)
		for line := range strings.SplitSeq(lines, "; ") {
			fmt.Fprintf(&b, "    %s\n", line)
		}
		b.WriteString("```\n")
	}
	if len(by["does not run"]) > 0 {
		fmt.Fprintf(&b, "\nNo line that was tried makes **%s** run: [why](../compatibility.md).\n", list("does not run"))
	}
	return b.String() + "\n"
}

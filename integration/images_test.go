package integration

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
)

var updateCompatibility = flag.Bool("update-compatibility", false, "write down anew which entry points run under which profile")

const compatibilityFile = "testdata/compatibility.json"

// widened are the lines that are tried where an entry point does not run under
// a profile as it is: each holds the one before it.
var widened = map[string][]string{
	"baseline":   nil,
	"restricted": nil,
	"untrusted": {
		"capabilities: {max: [CHOWN, DAC_OVERRIDE, FOWNER, SETUID, SETGID, KILL]}",
		"rootfs: {readOnly: false}",
	},
}

// What entry points of images need, they have: what runs under a profile as it
// is, what runs with which line more, and what does not, is what the table in
// docs/compatibility.md says.
func TestEntryPoints(t *testing.T) {
	d := dockers[len(dockers)-1].start(t)
	image := cached(t, "images-*.tar")
	mustRun(t, d.cli, "-H", "unix://"+d.dir+"/docker.sock", "import", image, "images")
	t.Cleanup(func() { d.try(t, "rmi", "-f", "images") })
	was := map[string]map[string]string{}
	if text, err := os.ReadFile(compatibilityFile); err == nil {
		must(t, json.Unmarshal(text, &was))
	}
	all := append(append([]entry{}, imageEntries...), toolEntries...)
	for key := range was {
		if slices.ContainsFunc(all, func(e entry) bool { return e.key() == key }) {
			continue
		}
		if !*updateCompatibility {
			t.Errorf("%s has %q, which nothing tries", compatibilityFile, key)
		}
		delete(was, key)
	}
	for _, e := range all {
		key := e.key()
		t.Run(key, func(t *testing.T) {
			got := map[string]string{}
			for _, profile := range []string{"restricted", "untrusted", "baseline"} {
				if profile == "baseline" && got["restricted"] == "runs" {
					continue // it grants more than restricted
				}
				got[profile] = d.enters(t, e, profile, was[key][profile])
				if want := was[key][profile]; got[profile] != want && !*updateCompatibility {
					t.Errorf("%s: %s; before: %s", profile, got[profile], want)
				}
			}
			was[key] = got
		})
	}
	if *updateCompatibility {
		text, err := json.MarshalIndent(was, "", "  ")
		must(t, err)
		must(t, os.WriteFile(compatibilityFile, append(text, '\n'), 0o644))
	}
}

// key is the name of an entry in the file of results.
func (e entry) key() string {
	if e.image == "" {
		return e.name
	}
	return strings.TrimSuffix("image "+e.image+", "+e.name, ", ")
}

// enters runs an entry under a profile, and with what widens it until it runs.
// before is what came of it the last time.
func (d *docker) enters(t *testing.T, e entry, profile, before string) string {
	t.Helper()
	said, ok := d.tryEntry(t, e, profile, nil)
	if !ok && before == "runs" {
		said, ok = d.tryEntry(t, e, profile, nil) // a machine that was busy is no other result
	}
	if ok {
		return "runs"
	}
	first := said
	var lines []string
	for _, line := range append(append([]string{}, widened[profile]...), e.lines...) {
		lines = with(lines, line)
		if said, ok = d.tryEntry(t, e, profile, lines); ok {
			return "runs with " + strings.Join(lines, "; ")
		}
	}
	t.Logf("%s: %s\nat last: %s", profile, first, said)
	return "does not run"
}

// with adds a line to a profile; it replaces one of the same key.
func with(lines []string, line string) []string {
	key, _, _ := strings.Cut(line, ":")
	kept := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasPrefix(l, key+":") })
	return append(kept, line)
}

func (d *docker) tryEntry(t *testing.T, e entry, profile string, lines []string) (string, bool) {
	t.Helper()
	text := "profile: p\nprofiles:\n  p:\n    extends: builtin/" + profile + "\n"
	for _, line := range lines {
		text += "    " + line + "\n"
	}
	d.setPolicy(t, text)
	out, code := d.run(t, append(append([]string{}, e.args...), "images", "timeout", "-k", "5", "100", "bash", "-ec", entryHelp+e.script)...)
	// Programs that run beside the script may still speak behind its last word.
	return out, code == 0 && slices.Contains(strings.Split(strings.ReplaceAll(out, "\r", ""), "\n"), "fine")
}

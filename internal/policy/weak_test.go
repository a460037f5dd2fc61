package policy

import (
	"strings"
	"testing"
)

// Whatever weakens the policy is named, where it stands and with its reason.
func TestWeakNamesWhatWeakens(t *testing.T) {
	for text, want := range map[string]string{
		"unrecorded: profile\nbecause: a migration\n":                                       "p.yaml:2 unrecorded: profile (a migration)",
		"audit: {onFailure: continue}\n":                                                    "p.yaml:2 audit.onFailure: continue ()",
		"runtime: {accept: [{version: \"runc 1.1.5\", because: old, open: [CVE-1]}]}\n":     "p.yaml:2 runtime.accept: runc 1.1.5 (old)",
		"rules:\n  - {match: {name: a}, profile: baseline, trust: [name], because: mine}\n": "p.yaml:3 trust: name (mine)",
		"profiles:\n  a: {extends: builtin/restricted, restore: admit, because: ours}\n":    "p.yaml:3 restore: admit (ours)",
		"profiles:\n  a: {extends: builtin/restricted, others: admit}\n":                    "p.yaml:3 others: admit ()",
		"profiles:\n  a: {extends: builtin/restricted, apparmor: {require: never}}\n":       "p.yaml:3 apparmor.require: never ()",
		"profiles:\n  a:\n    extends: builtin/restricted\n    userns: {mode: off}\n":       "p.yaml:5 userns.mode: off ()",
		// Once, although another profile extends it; and of a rule's own keys.
		"profiles:\n  a: {extends: builtin/restricted, restore: admit}\n  b: {extends: a}\n":         "p.yaml:3 restore: admit ()",
		"rules:\n  - {match: {id: a}, profile: restricted, restore: admit, because: ours}\n":         "p.yaml:3 restore: admit (ours)",
		"profiles:\n  a: {extends: builtin/restricted, restore: refuse, userns: {mode: required}}\n": "",
		"rules:\n  - {match: {name: a}, profile: untrusted}\n":                                       "",
		"mode: complain\n": "",
	} {
		weak, err := CheckWeak("p.yaml", []byte("version: 1\n"+text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, w := range weak {
			got = append(got, w.Where+" "+w.Setting+" ("+w.Because+")")
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	p, err := Default()
	if err != nil || len(p.Weak()) > 0 {
		t.Errorf("the built-in policy: %v %v", p.Weak(), err)
	}
}

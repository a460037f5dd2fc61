package policy

import (
	"strings"
	"testing"
)

func TestSeccompRulesAreChecked(t *testing.T) {
	for rules, want := range map[string]string{
		"{allow: [keyctll]}":              `"keyctll" is not known; did you mean "keyctl"?`,
		"{deny: [nonesuch]}":              `"nonesuch" is not known`,
		"{architectures: [SCMP_ARCH_Z]}":  `"SCMP_ARCH_Z" is not known`,
		"{allow: [mount], deny: [mount]}": `"mount" is in allow too`,
		"{table: strict}":                 `"strict" is not one of none, baseline, restricted, untrusted`,
		"{table: none, deny: [mount]}":    "would mean nothing",
		"{tabel: none}":                   `did you mean "table"?`,
	} {
		err := Check("p", []byte("version: 1\nprofiles:\n  x: {extends: builtin/restricted, seccomp: "+rules+"}\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", rules, err, want)
		}
	}
	if err := Check("p", []byte("version: 1\nprofiles:\n  x: {extends: builtin/restricted, seccomp: {table: untrusted, allow: [keyctl], deny: [mlock], architectures: [SCMP_ARCH_X86], log: true}}\n")); err != nil {
		t.Error(err)
	}
}

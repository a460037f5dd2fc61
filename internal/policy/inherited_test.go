package policy

import (
	"slices"
	"strings"
	"testing"
)

// A list replaces that of the profile that is extended, unless it begins with
// what is inherited.
func TestInheritedList(t *testing.T) {
	const text = `version: 1
rules:
  - match: {id: builder}
    profile: web
    mounts: {allow: [inherited, {path: /srv/b, access: ro}]}
profiles:
  web:
    extends: builtin/restricted
    mounts:
      allow: [inherited, {path: /srv/a, access: rw}]
    sysctls: {allow: [inherited, net.core.rmem_max]}
    capabilities: {max: [CAP_KILL]}
`
	p, errs := build([]source{{"p.yaml", []byte(text)}}, true)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	base, web, rule := p.Profiles["builtin/restricted"], p.Profiles["web"], p.Profiles[p.Rules[0].Profile]
	n := len(base.Mounts.Allow)
	if n < 10 || len(web.Mounts.Allow) != n+1 || web.Mounts.Allow[n].Path != "/srv/a" || len(rule.Mounts.Allow) != n+2 || rule.Mounts.Allow[n+1].Path != "/srv/b" {
		t.Errorf("%d, then %+v, then %+v", n, web.Mounts.Allow, rule.Mounts.Allow)
	}
	if !slices.Equal(web.Sysctls.Allow, append(slices.Clone(base.Sysctls.Allow), "net.core.rmem_max")) {
		t.Error(web.Sysctls.Allow)
	}
	if slices.Contains(base.Sysctls.Allow, "net.core.rmem_max") || len(web.Capabilities.Max) != 1 {
		t.Error("the profile itself was changed, or a list without it did not replace")
	}
	for _, bad := range []string{
		"offers: [inherited]\n",
		"profiles: {a: {extends: builtin/restricted, sysctls: {allow: [kernel.sem, inherited]}}}\n",
		"profiles: {a: {extends: builtin/restricted, mounts: {allow: [{path: /a, access: ro}, inherited]}}}\n",
	} {
		_, errs := build([]source{{"p.yaml", []byte("version: 1\n" + bad)}}, true)
		if len(errs) == 0 || !strings.Contains(errs.Error(), "inherited is for the first item") {
			t.Errorf("%s: %v", bad, errs)
		}
	}
}

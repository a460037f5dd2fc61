package policy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNamesInEgress(t *testing.T) {
	load := func(text string) (*Policy, error) {
		file := filepath.Join(t.TempDir(), "policy.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadFile(file)
	}
	pol, err := load(`version: 1
profile: p
profiles:
  p:
    extends: builtin/untrusted
    egress:
      allow:
        - registry.npmjs.org:443/tcp
        - "*.githubusercontent.com:443"
        - {name: "db.internal:5432", private: true}
        - {name: "web.internal:80"}
`)
	if err != nil {
		t.Fatal(err)
	}
	p := pol.Profiles["p"]
	want := []string{"registry.npmjs.org:443/tcp", "*.githubusercontent.com:443", "db.internal:5432 private", "web.internal:80"}
	if !slices.Equal(p.Egress.Allow, want) || !p.NetworkRules().Named() {
		t.Errorf("%q", p.Egress.Allow)
	}
	if at := p.WhereEntry("egress", "allow", want[2]); !strings.HasSuffix(at, "policy.yaml:10") {
		t.Error(at)
	}
	if p.EgressPolicies()[0].Refused {
		t.Error("the answer is REFUSED, and nobody asked for it")
	}
	refused, err := load("version: 1\nprofile: p\nprofiles:\n  p: {extends: builtin/untrusted, egress: {names: {unlisted: refused}, allow: [\"example.org:443\"]}}\n")
	if err != nil || !refused.Profiles["p"].EgressPolicies()[0].Refused {
		t.Errorf("%v", err)
	}
	if pol.Profiles["builtin/untrusted"].NetworkRules().Named() {
		t.Error("no names are names")
	}
	for entry, want := range map[string]string{
		`egress: {names: {unlisted: drop}}`:                              "not one of nxdomain, refused",
		`egress: {allow: ["example.org"]}`:                               "needs its ports",
		`egress: {allow: ["*.org:443"]}`:                                 "whole label",
		`egress: {allow: ["bücher.example:443"]}`:                        "xn--",
		`egress: {deny: ["example.org:443"]}`:                            "can only be allowed",
		`egress: {default: allow, allow: ["example.org:443"]}`:           "default is deny",
		`ingress: {default: deny, allow: ["example.org:443"]}`:           "who asks",
		`egress: {allow: [{name: "10.0.0.1:443", private: true}]}`:       "private is for a name",
		`egress: {allow: [{name: "example.org:443", secret: true}]}`:     "unknown key",
		`egress: {allow: [{private: true}]}`:                             "want name",
		`egress: {allow: [{name: "example.org:443", private: perhaps}]}`: "want true or false",
		`egress: {deny: [{name: "example.org:443"}]}`:                    "want a value",
	} {
		_, err := load("version: 1\nprofile: p\nprofiles:\n  p: {extends: builtin/untrusted, " + entry + "}\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "policy.yaml:4:") {
			t.Errorf("%s: %v", entry, err)
		}
	}
	_, err = load("version: 1\nprofile: q\nprofiles:\n  p: {extends: builtin/untrusted, egress: {allow: [\"example.org:443\"]}}\n  q: {extends: p, egress: {default: allow}}\n")
	if err == nil || !strings.Contains(err.Error(), "default is deny") {
		t.Error(err)
	}
}

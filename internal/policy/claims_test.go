package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/workload"
)

func built(t testing.TB, text string) *Policy {
	t.Helper()
	p, errs := build([]source{{"p.yaml", []byte("version: 1\n" + text)}}, true)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return p
}

func resolved(t testing.TB, p *Policy, w workload.Workload) Resolution {
	t.Helper()
	res, err := p.Resolve(w)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestMatchByWhatAnEngineKeeps(t *testing.T) {
	web := workload.Workload{
		Engine: "docker", Name: "web-1", Image: "busybox:1.36", ImageDigests: []string{"sha256:aa", "sha256:bb"},
		Labels: map[string]string{"tier": "db", "empty": ""}, Project: "shop", Service: "web",
	}
	for text, want := range map[string]bool{
		"name: web-*": true, "name: web": false, "name: db-*": false,
		"label: {tier: db}": true, "label: {tier: \"*\", empty: \"*\"}": true, "label: {tier: db, other: \"*\"}": false, "label: {other: \"*\"}": false,
		"imageDigest: \"sha256:bb\"": true, "imageDigest: \"sha256:cc\"": false,
		"image: \"busybox:*\"": true, "image: \"nginx:*\"": false,
		"compose: {project: shop}": true, "compose: {project: shop, service: web}": true, "compose: {project: shop, service: db}": false,
		"engine: docker, name: web-1, label: {tier: db}, imageDigest: \"sha256:aa\", compose: {project: shop, service: web}": true,
		"engine: podman, name: web-1": false,
	} {
		p := built(t, "rules:\n  - match: {"+text+"}\n    profile: untrusted\n")
		if got := p.Rules[0].Match.matches(web); got != want {
			t.Errorf("%s: %v", text, got)
		}
		if p.Rules[0].Match.matches(workload.Workload{Engine: "docker", ID: "c1"}) {
			t.Errorf("%s matches a container that nothing is known of", text)
		}
	}
}

// What whoever makes a container chooses takes away and never adds, unless the
// rule trusts it.
func TestClaimsOnlyNarrow(t *testing.T) {
	docker := workload.Workload{
		Engine: "docker", Name: "web", Image: "busybox", ImageDigests: []string{"sha256:aa"}, Labels: map[string]string{"tier": "db"}, Project: "shop",
	}
	for claim, match := range map[string]string{
		"name": "name: web", "label": "label: {tier: db}", "image": "image: busybox", "compose": "compose: {project: shop}",
	} {
		rule := "rules:\n  - match: {engine: docker, " + match + "}\n    profile: baseline\n"
		p := built(t, rule)
		if got, want := resolved(t, p, docker), Meet(p.Profiles["builtin/restricted"], p.Profiles["builtin/baseline"]); cmp.Diff(want, got.Profile) != "" {
			t.Errorf("%s adds: %s", claim, cmp.Diff(want, got.Profile))
		} else if got.Rule != "p.yaml:3" || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "trust: ["+claim+"]") {
			t.Errorf("%s: %+v", claim, got.Notes)
		}
		p = built(t, rule+"    trust: ["+claim+"]\n    because: only the deployment may name containers\n")
		if got := resolved(t, p, docker).Profile.Name; got != "builtin/baseline" {
			t.Errorf("trusted %s: %s", claim, got)
		}
	}
	p := built(t, "rules:\n  - match: {imageDigest: \"sha256:aa\"}\n    profile: baseline\n")
	if got := resolved(t, p, docker).Profile.Name; got != "builtin/baseline" {
		t.Errorf("a digest is what the image is: %s", got)
	}
	p = built(t, "rules:\n  - match: {name: \"*\", image: busybox}\n    profile: baseline\n    trust: [name]\n    because: x\n")
	if got := resolved(t, p, docker).Profile.Name; got == "builtin/baseline" {
		t.Error("trust in one claim stands for another")
	}
}

// Whatever rules rest on claims: the profile is no wider than without them all.
func TestClaimsNarrowWhateverTheRules(t *testing.T) {
	names := []string{"baseline", "restricted", "untrusted"}
	rapid.Check(t, func(r *rapid.T) {
		var with, without strings.Builder
		with.WriteString("rules:\n")
		without.WriteString("rules:\n")
		for range rapid.IntRange(1, 5).Draw(r, "rules") {
			match := rapid.SampledFrom([]string{"name: web", "label: {a: b}", "image: x", "engine: docker", "id: other", "engine: docker, name: web"}).Draw(r, "match")
			rule := "  - match: {" + match + "}\n    profile: " + rapid.SampledFrom(names).Draw(r, "profile") + "\n"
			with.WriteString(rule)
			if match == "engine: docker" || match == "id: other" {
				without.WriteString(rule)
			}
		}
		base := ""
		if without.Len() > len("rules:\n") {
			base = without.String()
		}
		w := workload.Workload{Engine: "docker", ID: "c1", Name: "web", Image: "x", Labels: map[string]string{"a": "b"}}
		got, fair := resolved(t, built(t, with.String()), w).Profile, resolved(t, built(t, base), w).Profile
		if extra := slices.DeleteFunc(slices.Clone(got.Capabilities.Max), func(c string) bool { return slices.Contains(fair.Capabilities.Max, c) }); len(extra) > 0 {
			r.Fatalf("%v more", extra)
		}
		if fair.Privilege.NoNewPrivileges && !got.Privilege.NoNewPrivileges || fair.RootFS.ReadOnly && !got.RootFS.ReadOnly ||
			fair.Pids.Max != nil && (got.Pids.Max == nil || *got.Pids.Max > *fair.Pids.Max) || fair.UserNS.Mode == UserNSRequired && got.UserNS.Mode != UserNSRequired {
			r.Fatalf("%+v is wider than %+v", got, fair)
		}
	})
}

func TestTrustHasAReason(t *testing.T) {
	for text, want := range map[string]string{
		"match: {name: web}, profile: baseline, trust: [name]":                 "because",
		"match: {name: web}, profile: baseline, trust: [names], because: x":    "not one of name, label",
		"match: {imageDigest: abc}, profile: baseline":                         "sha256:",
		"match: {compose: {}}, profile: baseline":                              "neither project nor service",
		"match: {compose: {projekt: x}}, profile: baseline":                    "unknown key",
		"match: {label: [a]}, profile: baseline":                               "want a mapping",
		"match: {engine: docker, name: web, label: {a: b}}, profile: baseline": "",
	} {
		err := Check("p.yaml", []byte("version: 1\nrules:\n  - {"+text+"}\n"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestShowWritesMatches(t *testing.T) {
	p := built(t, "rules:\n  - match: {name: web, label: {\"com.example/tier\": db}, compose: {project: shop}}\n    profile: baseline\n    trust: [name, label, compose]\n    because: mine\n")
	if shown := Show(p); !strings.Contains(shown, "com.example/tier") || !strings.Contains(shown, "compose: {project: shop}") || !strings.Contains(shown, "trust: [name, label, compose]") {
		t.Error(shown)
	}
}

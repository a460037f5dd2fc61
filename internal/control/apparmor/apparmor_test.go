package apparmor

import (
	"errors"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
	profiles "github.com/hatchdog/hatchdog/profiles/apparmor"
)

func rules() policy.ApparmorRules {
	return policy.ApparmorRules{Profile: profiles.Restricted, Require: policy.IfAvailable, OnMissing: policy.RefuseMissing}
}

func on(enforced ...string) host.Apparmor {
	a := host.Apparmor{Enabled: true, Modes: map[string]string{}}
	for _, name := range enforced {
		a.Modes[name] = "enforce"
	}
	return a
}

func apply(r policy.ApparmorRules, f host.Apparmor, asked string) (got, note string, changes []control.Change, err error) {
	c := New(&policy.Profile{Apparmor: r}, host.Facts{Apparmor: f})
	s := &specs.Spec{Process: &specs.Process{ApparmorProfile: asked, SelinuxLabel: "system_u:system_r:container_t:s0:c1,c2"}}
	changes, err = c.Apply(s)
	return s.Process.ApparmorProfile, c.(control.Noter).Note(s), changes, err
}

// What the process runs under, for each profile that an engine may ask for.
func TestChoice(t *testing.T) {
	keep := rules()
	keep.Keep = []string{"custom", "docker-default"}
	own := rules()
	own.Profile = "company"
	for name, c := range map[string]struct {
		rules       policy.ApparmorRules
		asked, want string
		refused     string
		note        string
	}{
		"nothing":               {rules: rules(), want: profiles.Restricted},
		"unconfined":            {rules: rules(), asked: "unconfined", want: profiles.Restricted},
		"Docker's":              {rules: rules(), asked: "docker-default", want: profiles.Restricted},
		"containerd's":          {rules: rules(), asked: "cri-containerd.apparmor.d", want: profiles.Restricted},
		"Podman's":              {rules: rules(), asked: "containers-default-0.50.1", want: profiles.Restricted},
		"wider of ours":         {rules: rules(), asked: profiles.Baseline, want: profiles.Restricted},
		"the same":              {rules: rules(), asked: profiles.Restricted, want: profiles.Restricted},
		"stricter of ours":      {rules: rules(), asked: profiles.Untrusted, want: profiles.Untrusted, note: "stays"},
		"unknown":               {rules: rules(), asked: "custom", want: "custom", refused: "is not known"},
		"unknown, like Podman":  {rules: rules(), asked: "containers-default-x", want: "containers-default-x", refused: "is not known"},
		"kept":                  {rules: keep, asked: "custom", want: "custom", note: "stays"},
		"kept default":          {rules: keep, asked: "docker-default", want: "docker-default", note: "stays"},
		"own for nothing":       {rules: own, want: "company"},
		"own for unconfined":    {rules: own, asked: "unconfined", want: "company"},
		"own for Docker's":      {rules: own, asked: "docker-default", want: "docker-default", refused: "is not known"},
		"own for ours":          {rules: own, asked: profiles.Untrusted, want: profiles.Untrusted, refused: "is not known"},
		"the rules do not meet": {rules: policy.ApparmorRules{Require: policy.Always}, asked: "docker-default", want: "docker-default", refused: "neither is known"},
	} {
		got, note, changes, err := apply(c.rules, on("custom", "company", "docker-default"), c.asked)
		if got != c.want || (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		if (len(changes) == 1) != (got != c.asked) || len(changes) == 1 && (changes[0].Before != c.asked || changes[0].After != got) {
			t.Errorf("%s: %v", name, changes)
		}
		if (note == "") != (c.note == "") || !strings.Contains(note, c.note) {
			t.Errorf("%s: note %q", name, note)
		}
	}
}

// A name that is more than one profile's is refused on every host.
func TestOddNames(t *testing.T) {
	for _, odd := range []string{
		"docker-default\n", "a b", " ", "docker-default//&unconfined", ":ns:docker-default", ":ns://unconfined", `"docker-default"`,
		"'x'", "&x", "x\x00y", "hatchdog-restricted ", "été", strings.Repeat("x", 300), "Unconfined\t", "a,b", "{a,b}", "*",
	} {
		r := rules()
		r.Keep = []string{odd}
		r.OnMissing = policy.ContinueMissing
		for _, f := range []host.Apparmor{on(odd), {}, {Enabled: true, Err: "x"}} {
			got, _, changes, err := apply(r, f, odd)
			var refusal *control.Refusal
			if !errors.As(err, &refusal) || got != odd || len(changes) > 0 {
				t.Errorf("%q: %q %v", odd, got, err)
			}
			if err != nil && odd != " " && odd != "*" && strings.Contains(err.Error(), odd) {
				t.Errorf("the error repeats %q", odd)
			}
		}
	}
}

func TestMissing(t *testing.T) {
	unloadable := on()
	unloadable.Unloadable = map[string]string{profiles.Restricted: "no parser"}
	complain := on()
	complain.Modes[profiles.Restricted] = "complain"
	stuck := complain
	stuck.Unloadable = unloadable.Unloadable
	kept := on()
	kept.Modes["custom"] = "complain"
	untold := host.Apparmor{Enabled: true, Err: "securityfs"}
	always := rules()
	always.Require = policy.Always
	keep := rules()
	keep.Keep = []string{"custom"}
	for name, c := range map[string]struct {
		rules   policy.ApparmorRules
		facts   host.Apparmor
		asked   string
		want    string // under onMissing: continue, and where nothing is refused
		refused string
	}{
		"there":               {rules(), on(profiles.Restricted), "docker-default", profiles.Restricted, ""},
		"to be loaded":        {rules(), on(), "docker-default", profiles.Restricted, ""},
		"to be reloaded":      {rules(), complain, "docker-default", profiles.Restricted, ""},
		"not loadable":        {rules(), unloadable, "docker-default", "docker-default", "is not loaded, and loading it failed: no parser"},
		"not reloadable":      {rules(), stuck, "docker-default", "docker-default", "complain mode"},
		"ours asked for":      {rules(), stuck, profiles.Restricted, profiles.Restricted, "complain mode"},
		"kept, not enforced":  {keep, kept, "custom", "custom", "custom is loaded in complain mode"},
		"kept, not there":     {keep, on(), "custom", "custom", "custom is not loaded"},
		"cannot be told":      {rules(), untold, "docker-default", "docker-default", "cannot be told: securityfs"},
		"always, none":        {always, host.Apparmor{}, "", "", "no AppArmor"},
		"always, no telling":  {always, untold, "", "", "cannot be told"},
		"always, not loaded":  {always, unloadable, "", "", "is not loaded"},
		"if available, none":  {rules(), host.Apparmor{}, "", "", ""},
		"engine's on no host": {rules(), host.Apparmor{}, "docker-default", "docker-default", ""},
	} {
		_, _, _, err := apply(c.rules, c.facts, c.asked)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v", name, err)
		}
		c.rules.OnMissing = policy.ContinueMissing
		got, note, _, err := apply(c.rules, c.facts, c.asked)
		if c.rules.Require == policy.Always && c.facts.Modes == nil {
			if err == nil {
				t.Errorf("%s: always, and it went on", name)
			}
			continue
		}
		if err != nil || got != c.want {
			t.Errorf("%s, continue: %q %v", name, got, err)
		}
		if c.refused != "" && note == "" {
			t.Errorf("%s, continue: nothing is said", name)
		}
	}
}

func TestNever(t *testing.T) {
	r := rules()
	r.Require = policy.Never
	for _, asked := range []string{"", "unconfined", "custom", "docker-default"} {
		if got, note, changes, err := apply(r, on(), asked); got != asked || note != "" || len(changes) > 0 || err != nil {
			t.Errorf("%q: %q %q %v %v", asked, got, note, changes, err)
		}
	}
}

// A process without a profile inherits hatchdog's own.
func TestInherited(t *testing.T) {
	for own, want := range map[string]string{
		"":                  profiles.Restricted,
		"docker-default":    profiles.Restricted,
		profiles.Restricted: "",
		profiles.Untrusted:  "",
	} {
		f := on(own)
		f.Own = own
		if got, _, _, err := apply(rules(), f, ""); got != want || err != nil {
			t.Errorf("%q: %q %v", own, got, err)
		}
	}
	f := on("custom")
	f.Own = "custom"
	if _, _, _, err := apply(rules(), f, ""); err == nil {
		t.Error("hatchdog's own profile is not known to be wider")
	}
}

func TestUselessCapabilitiesAreTold(t *testing.T) {
	c := New(&policy.Profile{Apparmor: rules()}, host.Facts{Apparmor: on()})
	s := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN", "CAP_SYS_ADMIN"}}}}
	if _, err := c.Apply(s); err != nil {
		t.Fatal(err)
	}
	if note := c.(control.Noter).Note(s); note != "apparmor: hatchdog-restricted does not grant CAP_SYS_ADMIN, which the process has" {
		t.Error(note)
	}
}

func TestFurther(t *testing.T) {
	for _, c := range []struct {
		has, asked, want string
		refused          bool
	}{
		{"hatchdog-restricted", "", "", false},
		{"hatchdog-restricted", "hatchdog-restricted", "hatchdog-restricted", false},
		{"hatchdog-restricted", "docker-default", "hatchdog-restricted", false},
		{"hatchdog-restricted", "unconfined", "hatchdog-restricted", false},
		{"hatchdog-restricted", "hatchdog-baseline", "hatchdog-restricted", false},
		{"hatchdog-restricted", "hatchdog-untrusted", "hatchdog-untrusted", false},
		{"hatchdog-restricted", "custom", "custom", true},
		{"hatchdog-restricted", "hatchdog-untrusted//&x", "hatchdog-untrusted//&x", true},
		{"custom", "custom", "custom", false},
		{"custom", "unconfined", "unconfined", true},
		{"custom", "hatchdog-untrusted", "hatchdog-untrusted", true},
		{"", "docker-default", "docker-default", false},
		{"", "unconfined", "unconfined", true},
		{"", "custom", "custom", true},
	} {
		got, change, refusal := Further(&policy.Profile{}, c.has, c.asked)
		if got != c.want || (refusal != nil) != c.refused || (change != nil) != (got != c.asked) {
			t.Errorf("%q in %q: %q %v %v", c.asked, c.has, got, change, refusal)
		}
	}
}

// Whatever the host and the request, a second Apply changes nothing, and the
// SELinux label stays.
func TestSettled(t *testing.T) {
	names := []string{"", "unconfined", "docker-default", "custom", "a b", profiles.Baseline, profiles.Restricted, profiles.Untrusted}
	rapid.Check(t, func(t *rapid.T) {
		r := policy.ApparmorRules{
			Profile:   rapid.SampledFrom(names[2:]).Draw(t, "profile"),
			Require:   rapid.SampledFrom([]policy.Require{policy.IfAvailable, policy.Always, policy.Never}).Draw(t, "require"),
			OnMissing: rapid.SampledFrom([]policy.Missing{policy.RefuseMissing, policy.ContinueMissing}).Draw(t, "onMissing"),
			Keep:      rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "keep"),
		}
		f := on(rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "enforced")...)
		f.Enabled = rapid.Bool().Draw(t, "enabled")
		f.Own = rapid.SampledFrom(names).Draw(t, "own")
		f.Err = rapid.SampledFrom([]string{"", "x"}).Draw(t, "err")
		if rapid.Bool().Draw(t, "unloadable") {
			f.Unloadable = map[string]string{r.Profile: "x"}
		}
		const label = "system_u:system_r:container_t:s0:c1,c2"
		s := &specs.Spec{Process: &specs.Process{ApparmorProfile: rapid.SampledFrom(names).Draw(t, "asked"), SelinuxLabel: label}}
		c := New(&policy.Profile{Apparmor: r}, host.Facts{Apparmor: f})
		first, err := c.Apply(s)
		again, err2 := c.Apply(s)
		if len(again) > 0 || (err == nil) != (err2 == nil) || err != nil && len(first) > 0 || s.Process.SelinuxLabel != label {
			t.Fatalf("%v %v, then %v %v", first, err, again, err2)
		}
	})
}

package policy

import (
	"strings"
	"testing"
)

func TestApparmorOfTheBuiltins(t *testing.T) {
	p := builtins(t)
	for name, want := range map[string]ApparmorRules{
		"baseline":   {Profile: "hatchdog-baseline", Require: IfAvailable, OnMissing: ContinueMissing},
		"restricted": {Profile: "hatchdog-restricted", Require: IfAvailable, OnMissing: RefuseMissing},
		"untrusted":  {Profile: "hatchdog-untrusted", Require: IfAvailable, OnMissing: RefuseMissing},
	} {
		got := p.Profiles["builtin/"+name].Apparmor
		if got.Profile != want.Profile || got.Require != want.Require || got.OnMissing != want.OnMissing || len(got.Keep) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestApparmorOrder(t *testing.T) {
	order := []string{"", "docker-default", "hatchdog-baseline", "hatchdog-restricted", "hatchdog-untrusted"}
	for i, a := range order {
		for j, b := range order {
			if ApparmorStricter(a, b) != (i > j) {
				t.Errorf("%q stricter than %q: %v", a, b, i <= j)
			}
		}
		if ApparmorStricter(a, "custom") || ApparmorStricter("custom", a) != (a == "") {
			t.Errorf("custom and %q", a)
		}
	}
	if ApparmorStricter("", Unconfined) || ApparmorStricter(Unconfined, "") || !ApparmorStricter("custom", Unconfined) {
		t.Error("unconfined is not nothing")
	}
}

func TestMeetApparmor(t *testing.T) {
	rules := func(profile string, require Require, missing Missing, keep ...string) ApparmorRules {
		return ApparmorRules{Profile: profile, Require: require, OnMissing: missing, Keep: keep}
	}
	wide := rules("hatchdog-baseline", IfAvailable, ContinueMissing, "a", "b")
	narrow := rules("hatchdog-untrusted", Always, RefuseMissing, "b", "c")
	none := rules("hatchdog-baseline", Never, ContinueMissing)
	custom := rules("custom", IfAvailable, ContinueMissing)
	for _, c := range []struct {
		a, b ApparmorRules
		want ApparmorRules
	}{
		{wide, narrow, rules("hatchdog-untrusted", Always, RefuseMissing, "b")},
		{none, narrow, narrow},
		{none, none, none},
		{custom, custom, custom},
		{custom, wide, rules("", Always, RefuseMissing)},
		{meetApparmor(custom, wide), narrow, rules("", Always, RefuseMissing)},
	} {
		for _, got := range []ApparmorRules{meetApparmor(c.a, c.b), meetApparmor(c.b, c.a)} {
			if got.Profile != c.want.Profile || got.Require != c.want.Require || got.OnMissing != c.want.OnMissing || strings.Join(got.Keep, " ") != strings.Join(c.want.Keep, " ") {
				t.Errorf("%+v met with %+v: %+v", c.a, c.b, got)
			}
		}
	}
}

func TestApparmorInAFile(t *testing.T) {
	text := `version: 1
profiles:
  web:
    extends: builtin/restricted
    apparmor: {profile: "company//&x", require: sometimes, onMissing: ignore, keep: [":ns:x", unconfined, ok, /usr/bin/x]}
`
	err := Check("p.yaml", []byte(text))
	for _, want := range []string{
		`"company//&x" is not the name`, `":ns:x" is not the name`, `"unconfined" is not the name`,
		`"sometimes" is not one of ifAvailable, always, never`, `"ignore" is not one of refuse, continue`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %s in\n%v", want, err)
		}
	}
	if err != nil && strings.Count(err.Error(), "is not the name") != 3 {
		t.Error(err)
	}
}

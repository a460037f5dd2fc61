package guard

import (
	"encoding/json"
	"testing"
)

func processWith(t *testing.T, profile any) []byte {
	t.Helper()
	p := map[string]any{"args": []string{"x"}, "cwd": "/", "capabilities": map[string]any{}}
	if profile != nil {
		p["apparmorProfile"] = profile
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func specWith(t *testing.T, profile any) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]json.RawMessage{"process": processWith(t, profile)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Every step between these names: only those to a later group pass.
func TestApparmorOrder(t *testing.T) {
	groups := [][]any{
		{nil, "", "unconfined"},
		{"docker-default", "cri-containerd.apparmor.d", "containers-default-0.50.1"},
		{"hatchdog-baseline"},
		{"hatchdog-restricted"},
		{"hatchdog-untrusted"},
	}
	for i, from := range groups {
		for j, to := range groups {
			for _, before := range from {
				for _, after := range to {
					same := before == after || (before == nil || before == "") && (after == nil || after == "")
					err := Check(specWith(t, before), specWith(t, after), Evidence{})
					if ok := err == nil; ok != (same || j > i) {
						t.Errorf("%v to %v: %v", before, after, err)
					}
				}
			}
		}
	}
}

func TestApparmorUnknown(t *testing.T) {
	asked := ""
	ev := Evidence{Enforced: func(name string) bool { asked = name; return true }}
	for _, c := range []struct {
		before, after any
		ok            bool
	}{
		{"custom", "custom", true},
		{"custom", "hatchdog-untrusted", false},
		{"custom", nil, false},
		{"custom", "unconfined", false},
		{"docker-default", "custom", false},
		{"hatchdog-baseline", "custom", false},
		{nil, "custom", true}, // the kernel enforces it
		{"unconfined", "custom", true},
		{nil, "custom//&other", false},
		{nil, ":other:custom", false},
		{nil, "custom x", false},
		{nil, "custom\n", false},
		{nil, 1, false},
		{"hatchdog-untrusted", " hatchdog-untrusted", false},
		{"containers-default-", "hatchdog-untrusted", false},
		{"Unconfined", "hatchdog-untrusted", false},
	} {
		if err := Check(specWith(t, c.before), specWith(t, c.after), ev); (err == nil) != c.ok {
			t.Errorf("%v to %v: %v", c.before, c.after, err)
		}
	}
	if asked != "custom" {
		t.Errorf("asked about %q", asked)
	}
	for _, ev := range []Evidence{{}, {Enforced: func(string) bool { return false }}} {
		if Check(specWith(t, nil), specWith(t, "custom"), ev) == nil {
			t.Error("a profile that nobody enforces")
		}
	}
}

// A further process inherits what its container has.
func TestApparmorOfAFurtherProcess(t *testing.T) {
	for _, c := range []struct {
		before, after any
		ok            bool
	}{
		{"docker-default", "hatchdog-restricted", true},
		{"hatchdog-restricted", "docker-default", false},
		{nil, "hatchdog-restricted", false},
		{"unconfined", nil, false},
		{"docker-default", nil, false},
		{nil, nil, true},
	} {
		if err := CheckProcess(processWith(t, c.before), processWith(t, c.after)); (err == nil) != c.ok {
			t.Errorf("%v to %v: %v", c.before, c.after, err)
		}
	}
}

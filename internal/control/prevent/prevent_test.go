package prevent

import (
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestApply(t *testing.T) {
	own := []specs.LinuxNamespace{{Type: specs.PIDNamespace}}
	joins := func(path string) []specs.LinuxNamespace {
		return []specs.LinuxNamespace{{Type: specs.PIDNamespace, Path: path}}
	}
	facts := host.Facts{
		HostNamespaces: map[string][]host.FileID{"pid": {{Ino: 1}}},
		Joined:         map[string]host.JoinedNamespace{"/host": {ID: host.FileID{Ino: 1}}, "/pod": {ID: host.FileID{Ino: 2}}},
	}
	unloaded := facts
	unloaded.Guard = "the kernel's guard is not loaded"
	unknown := facts
	unknown.HostNamespaces = nil
	for name, c := range map[string]struct {
		facts      host.Facts
		namespaces []specs.LinuxNamespace
		starts     bool
		want       string
	}{
		"its own":           {facts, own, false, ""},
		"a pod's":           {facts, joins("/pod"), false, ""},
		"the host's":        {facts, joins("/host"), false, "shares the host's pid namespace"},
		"none":              {facts, nil, false, "shares the host's pid namespace"},
		"not known whose":   {unknown, joins("/pod"), false, "shares the host's pid namespace"},
		"started at once":   {facts, own, true, "also starts it"},
		"without the guard": {unloaded, own, false, "not loaded"},
	} {
		s := &specs.Spec{Linux: &specs.Linux{Namespaces: c.namespaces}}
		p := &policy.Profile{Prevent: policy.PreventRules{Deny: []string{"drift"}, Require: policy.Always}}
		_, err := New(p, c.facts, c.starts).Apply(s)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: always: %v", name, err)
		}
		p.Prevent.Require = policy.IfAvailable
		control := New(p, c.facts, c.starts).(prevent)
		if _, err := control.Apply(s); err != nil {
			t.Errorf("%s: if available: %v", name, err)
		}
		if note := control.Note(s); !strings.HasSuffix(name, "the guard") && (note != "") != (c.want != "") || !strings.Contains(note, c.want) {
			t.Errorf("%s: note: %q", name, note)
		}
		if held, _ := Held(p, c.facts, s); !c.starts && slices.Equal(held, p.Prevent.Deny) != (c.want == "" || c.facts.Guard != "") {
			t.Errorf("%s: held to %v", name, held)
		}
		p.Prevent.Require = policy.Never
		if held, _ := Held(p, c.facts, s); held != nil {
			t.Errorf("%s: never: held", name)
		}
		if _, err := New(p, c.facts, c.starts).Apply(s); err != nil {
			t.Errorf("%s: never: %v", name, err)
		}
	}
}

// Where there is no guard the watch holds to drift, and to nothing else.
func TestTheWatchInstead(t *testing.T) {
	own := &specs.Spec{Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}}}}
	const unloaded, process = "the guard is not loaded", "hatchctl watch, a process, and only while that runs"
	for _, c := range []struct {
		name    string
		deny    []string
		require policy.Require
		guard   string
		runs    bool
		starts  bool
		held    []string
		by      policy.Holder
		refused bool
		note    []string
	}{
		{"the guard is there", []string{"drift", "bpf"}, policy.Always, "", true, false, []string{"drift", "bpf"}, policy.ByGuard, false, nil},
		{"drift alone", []string{"drift"}, policy.IfAvailable, unloaded, true, false, []string{"drift"}, policy.ByWatch, false, []string{process}},
		{"drift and more", []string{"bpf", "drift", "mounts"}, policy.IfAvailable, unloaded, true, false, []string{"drift"}, policy.ByWatch, false, []string{process, "bpf, mounts is not denied", unloaded}},
		{"no watch now", []string{"drift"}, policy.IfAvailable, unloaded, false, false, []string{"drift"}, policy.ByWatch, false, []string{process, "does not do now"}},
		{"no drift", []string{"bpf"}, policy.IfAvailable, unloaded, true, false, nil, "", false, []string{"bpf is not denied while it runs"}},
		{"required", []string{"drift"}, policy.Always, unloaded, true, false, []string{"drift"}, policy.ByWatchOrNone, false, []string{process}},
		{"required, and neither", []string{"drift"}, policy.Always, unloaded, false, false, []string{"drift"}, policy.ByWatchOrNone, true, nil},
		{"required, and more", []string{"drift", "bpf"}, policy.Always, unloaded, true, false, []string{"drift"}, policy.ByWatchOrNone, true, nil},
		{"required, started at once", []string{"drift"}, policy.Always, unloaded, true, true, []string{"drift"}, policy.ByWatchOrNone, true, nil},
	} {
		p := &policy.Profile{Prevent: policy.PreventRules{Deny: c.deny, Require: c.require}}
		f := host.Facts{Guard: c.guard, WatchHolds: c.runs}
		if held, by := Held(p, f, own); !slices.Equal(held, c.held) || by != c.by {
			t.Errorf("%s: held to %v by %q", c.name, held, by)
		}
		control := New(p, f, c.starts).(prevent)
		if _, err := control.Apply(own); (err != nil) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
		note := control.Note(own)
		for _, words := range c.note {
			if !strings.Contains(note, words) {
				t.Errorf("%s: %q does not say %q", c.name, note, words)
			}
		}
		if c.note == nil && note != "" && !c.refused {
			t.Errorf("%s: %q", c.name, note)
		}
	}
}

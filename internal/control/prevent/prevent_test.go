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
		if note := control.Note(s); (note != "") != (c.want != "") || !strings.Contains(note, c.want) {
			t.Errorf("%s: note: %q", name, note)
		}
		if held := Held(p, c.facts, s); !c.starts && slices.Equal(held, p.Prevent.Deny) != (c.want == "") {
			t.Errorf("%s: held to %v", name, held)
		}
		p.Prevent.Require = policy.Never
		if _, err := New(p, c.facts, c.starts).Apply(s); err != nil || Held(p, c.facts, s) != nil {
			t.Errorf("%s: never: %v", name, err)
		}
	}
}

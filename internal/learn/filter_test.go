package learn

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/seccomp"
	tables "github.com/hatchdog/hatchdog/profiles/seccomp"
)

// The filter for learning lets nothing pass that restricted does not, and has the
// kernel log all that it lets pass.
func TestTheFilterForLearningIsNoWider(t *testing.T) {
	text, err := Filter(specs.ArchX86_64)
	must(t, err)
	var s specs.LinuxSeccomp
	must(t, json.Unmarshal(text, &s))
	if s.DefaultAction != specs.ActErrno {
		t.Error(s.DefaultAction)
	}
	pol, err := policy.Default()
	must(t, err)
	table, err := tables.Load("restricted")
	must(t, err)
	grants := table.Resolve(seccomp.Wish{Native: specs.ArchX86_64, Capabilities: pol.Profiles["builtin/restricted"].Capabilities.Max})
	logged := 0
	for _, rule := range s.Syscalls {
		switch rule.Action {
		case specs.ActErrno:
		case specs.ActLog:
			for _, name := range rule.Names {
				logged++
				allowed := grants.Allows(name)
				if len(allowed) == 0 || len(rule.Args) == 0 && !allowed.Always() {
					t.Errorf("%s passes, and restricted has it as %v", name, allowed)
				}
			}
		default:
			t.Errorf("%v: %s", rule.Names, rule.Action)
		}
	}
	if logged < 200 {
		t.Errorf("%d calls pass", logged)
	}
}

// callsOnly is a recording without BPF.
func callsOnly() *Data {
	d := New()
	d.Runs, d.CallsOnly, d.Pids = 1, true, 3
	for _, call := range []string{"openat", "socket other", "clone other", "mount"} {
		d.add(d.Calls, call, seen("web"))
	}
	d.add(d.Programs, "/bin/web\nversion: 1", seen("web"))
	return d
}

// What was not seen stays as restricted has it, and is said.
func TestCallsAloneAreLearned(t *testing.T) {
	profile, text := profileOf(t, callsOnly())
	pol, err := policy.Default()
	must(t, err)
	restricted := pol.Profiles["builtin/restricted"]
	if !slices.Equal(profile.Capabilities.Max, restricted.Capabilities.Max) || profile.RootFS.ReadOnly != restricted.RootFS.ReadOnly ||
		len(profile.Egress.Allow) != len(restricted.Egress.Allow) || profile.Egress.Default != restricted.Egress.Default {
		t.Errorf("more than calls was learned:\n%s", text)
	}
	if string(profile.Seccomp.Table) != "restricted" || slices.Contains(profile.Seccomp.Deny, "socket") || !slices.Contains(profile.Seccomp.Deny, "mq_open") {
		t.Errorf("calls were not learned:\n%s", text)
	}
	if !strings.Contains(text, "nothing was seen of their use") || !strings.Contains(text, `"mount": 3 times`) {
		t.Errorf("it is not said:\n%s", text)
	}
	p, err := callsOnly().Write(wish())
	must(t, err)
	for name, format := range map[string]func() ([]byte, error){"apparmor": p.Apparmor, "networkpolicy": p.NetworkPolicy} {
		if out, err := format(); err == nil {
			t.Errorf("%s of what was not seen:\n%s", name, out)
		}
	}
	both := web()
	both.Merge(callsOnly())
	if merged, text := profileOf(t, both); !slices.Equal(merged.Capabilities.Max, restricted.Capabilities.Max) && len(merged.Capabilities.Max) != len(restricted.Capabilities.Max) || len(merged.Ingress.Allow) != len(restricted.Ingress.Allow) {
		t.Errorf("a run of which this was not seen was taken for one that did not do it:\n%s", text)
	}
}

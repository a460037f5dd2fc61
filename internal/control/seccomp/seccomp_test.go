package seccomp

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func real(t testing.TB, name string) *specs.Spec {
	t.Helper()
	raw, err := os.ReadFile("../../../integration/testdata/specs/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

func with(r policy.SeccompRules) control.Control { return New(&policy.Profile{Seccomp: r}) }

func allowed(s *specs.Spec) map[string]bool {
	out := map[string]bool{}
	for _, r := range s.Linux.Seccomp.Syscalls {
		for _, n := range r.Names {
			if r.Action == specs.ActAllow {
				out[n] = true
			}
		}
	}
	return out
}

func find(changes []control.Change, member, text string) bool {
	for _, c := range changes {
		if c.Field == member && strings.Contains(c.Before+" "+c.After+" "+c.Reason, text) {
			return true
		}
	}
	return false
}

func TestDockersFilter(t *testing.T) {
	s := real(t, "docker-default")
	changes, err := with(policy.SeccompRules{Table: policy.TableRestricted}).Apply(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][2]string{
		{"linux.seccomp.defaultAction", "SCMP_ACT_ERRNO (ENOSYS)"},
		{"linux.seccomp.architectures", "X86_64 X86 X32"},
		{"linux.seccomp.syscalls", "io_uring_enter io_uring_register io_uring_setup: makes system calls that no filter sees"},
		{"linux.seccomp.syscalls", "allowed for some arguments only"},
	} {
		if !find(changes, want[0], want[1]) {
			t.Errorf("%s does not say %q: %v", want[0], want[1], changes)
		}
	}
	for _, c := range changes {
		if strings.Contains(c.Reason, "both allow") {
			t.Errorf("Docker's own filter is not represented exactly: %v", c)
		}
	}
	a := allowed(s)
	if a["io_uring_setup"] || a["ptrace"] || !a["openat"] || !a["socket"] {
		t.Error(a)
	}
	before := *s.Linux.Seccomp
	if again, err := with(policy.SeccompRules{Table: policy.TableRestricted}).Apply(s); err != nil || len(again) > 0 || !reflect.DeepEqual(before, *s.Linux.Seccomp) {
		t.Errorf("a second time: %v %v", again, err)
	}
}

func TestNoFilter(t *testing.T) {
	s := real(t, "docker-privileged")
	if s.Linux.Seccomp != nil {
		t.Fatal("privileged has a filter")
	}
	s.Process.Capabilities = nil // the profile leaves none
	changes, err := with(policy.SeccompRules{Table: policy.TableUntrusted, Log: true}).Apply(s)
	if err != nil || len(changes) != 1 || changes[0].Before != "" {
		t.Errorf("%v %v", changes, err)
	}
	if len(s.Linux.Seccomp.Flags) != 2 || allowed(s)["mount"] {
		t.Errorf("%v", s.Linux.Seccomp.Flags)
	}
}

func TestTableFollowsCapabilities(t *testing.T) {
	for caps, want := range map[string]bool{"": false, "CAP_SYS_ADMIN": true} {
		s := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: strings.Fields(caps)}}}
		if _, err := with(policy.SeccompRules{Table: policy.TableBaseline}).Apply(s); err != nil {
			t.Fatal(err)
		}
		if allowed(s)["mount"] != want {
			t.Errorf("%q: mount %v", caps, !want)
		}
	}
}

func TestPolicysOwnNames(t *testing.T) {
	s := &specs.Spec{}
	if _, err := with(policy.SeccompRules{Table: policy.TableRestricted, Allow: []string{"keyctl"}, Deny: []string{"mlock"}}).Apply(s); err != nil {
		t.Fatal(err)
	}
	if a := allowed(s); !a["keyctl"] || a["mlock"] {
		t.Error("the profile's own names do not count")
	}
}

func TestSupervisor(t *testing.T) {
	s := &specs.Spec{Linux: &specs.Linux{Seccomp: &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, ListenerPath: "/run/x.sock", ListenerMetadata: "m",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mount"}, Action: specs.ActNotify}, {Names: []string{"mkdir"}, Action: specs.ActNotify}},
	}}}
	if _, err := with(policy.SeccompRules{Table: policy.TableRestricted, Deny: []string{"mkdir"}}).Apply(s); err != nil {
		t.Fatal(err)
	}
	if l := s.Linux.Seccomp; l.ListenerPath != "" || l.ListenerMetadata != "" {
		t.Error("a listener that is asked nothing stays")
	}
	s.Linux.Seccomp = &specs.LinuxSeccomp{
		DefaultAction: specs.ActErrno, ListenerPath: "/run/x.sock",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}},
	}
	listed := policy.SeccompRules{Table: policy.TableRestricted, Listeners: []string{"/run/x.sock"}}
	if _, err := with(listed).Apply(s); err != nil || s.Linux.Seccomp.ListenerPath == "" {
		t.Errorf("the listener is gone: %v", err)
	}
	for _, rules := range []policy.SeccompRules{{Table: policy.TableRestricted}, {Table: policy.TableNone}, {Table: policy.TableNone, Listeners: []string{"/run/x"}}} {
		if _, err := with(rules).Apply(s); err == nil {
			t.Errorf("%v: a listener that is not listed", rules)
		}
	}
	s.Linux.Seccomp.ListenerMetadata = strings.Repeat("x", maxMetadata+1)
	if _, err := with(listed).Apply(s); err == nil {
		t.Error("metadata without a bound")
	}
}

func TestNoneLeavesIt(t *testing.T) {
	s := real(t, "docker-default")
	before := *s.Linux.Seccomp
	changes, err := with(policy.SeccompRules{Table: policy.TableNone}).Apply(s)
	if err != nil || len(changes) > 0 || !reflect.DeepEqual(before, *s.Linux.Seccomp) {
		t.Errorf("%v %v", changes, err)
	}
}

func TestNoTableIsAnError(t *testing.T) {
	if _, err := with(policy.SeccompRules{}).Apply(&specs.Spec{}); err == nil {
		t.Error("went through")
	}
}

func BenchmarkApply(b *testing.B) {
	raw, err := os.ReadFile("../../../integration/testdata/specs/docker-default.json")
	if err != nil {
		b.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		b.Fatal(err)
	}
	c, have := with(policy.SeccompRules{Table: policy.TableRestricted}), s.Linux.Seccomp
	for b.Loop() {
		s.Linux.Seccomp = have
		if _, err := c.Apply(&s); err != nil {
			b.Fatal(err)
		}
	}
}

package privilege

import (
	"errors"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func rules() *policy.Profile {
	umask := uint32(0o027)
	return &policy.Profile{Privilege: policy.PrivilegeRules{
		NoNewPrivileges: true, OOMScoreAdjMin: 0, Umask: &umask, DeniedGids: []uint32{6},
		Rlimits: map[string]policy.RlimitRule{"RLIMIT_CORE": {Max: 0, Force: true}, "RLIMIT_NOFILE": {Max: 1024}},
	}}
}

func TestApply(t *testing.T) {
	oom := -999
	p := &specs.Process{
		OOMScoreAdj: &oom, User: specs.User{AdditionalGids: []uint32{1, 6}},
		Rlimits:    []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 4096, Soft: 4096}},
		Scheduler:  &specs.Scheduler{Policy: specs.SchedFIFO},
		IOPriority: &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_RT},
	}
	changes, err := New(rules(), nil).Apply(&specs.Spec{Process: p})
	if err != nil || len(changes) != 8 {
		t.Fatalf("%d %v %v", len(changes), changes, err)
	}
	if !p.NoNewPrivileges || *p.OOMScoreAdj != 0 || *p.User.Umask != 0o027 ||
		len(p.User.AdditionalGids) != 1 || p.Rlimits[0].Hard != 1024 || p.Rlimits[0].Soft != 1024 ||
		p.Rlimits[1].Type != "RLIMIT_CORE" || p.Scheduler != nil || p.IOPriority != nil {
		t.Errorf("%+v", p)
	}
}

func TestTwice(t *testing.T) {
	p := &specs.Process{Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}, {Type: "RLIMIT_CORE", Hard: 1}}}
	if _, err := New(rules(), nil).Apply(&specs.Spec{Process: p}); !errors.Is(err, ErrTwice) {
		t.Error(err)
	}
}

func TestNiceBelowZeroIsTakenAway(t *testing.T) {
	for nice, kept := range map[int32]bool{-20: false, 0: true, 19: true} {
		p := &specs.Process{Scheduler: &specs.Scheduler{Policy: specs.SchedOther, Nice: nice}}
		if _, err := New(rules(), nil).Apply(&specs.Spec{Process: p}); err != nil || (p.Scheduler != nil) != kept {
			t.Errorf("nice %d: %+v %v", nice, p.Scheduler, err)
		}
	}
}

func TestIdempotentAndNeverLooser(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		oom := rapid.IntRange(-1000, 1000).Draw(t, "oom")
		hard, soft := rapid.Uint64().Draw(t, "hard"), rapid.Uint64().Draw(t, "soft")
		p := &specs.Process{
			NoNewPrivileges: rapid.Bool().Draw(t, "nnp"), OOMScoreAdj: &oom,
			Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: hard, Soft: soft}, {Type: "RLIMIT_AS", Hard: hard, Soft: soft}},
		}
		c := New(rules(), nil)
		if _, err := c.Apply(&specs.Spec{Process: p}); err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Rlimits[:2] {
			if l.Hard > hard || l.Soft > soft || l.Soft > l.Hard {
				t.Fatalf("%+v", p.Rlimits)
			}
		}
		if *p.OOMScoreAdj < oom || !p.NoNewPrivileges {
			t.Fatal("looser")
		}
		if again, err := c.Apply(&specs.Spec{Process: p}); err != nil || len(again) != 0 {
			t.Fatalf("not idempotent: %v %v", again, err)
		}
	})
}

// A limit that the engine does not set is what the process inherits, where that
// is below the ceiling: to set it could raise it.
func TestForcedLimitsAreNeverAboveWhatIsInherited(t *testing.T) {
	p := &policy.Profile{Privilege: policy.PrivilegeRules{Rlimits: map[string]policy.RlimitRule{"RLIMIT_NOFILE": {Max: 1000, Force: true}}}}
	for _, c := range []struct {
		has  map[string]host.Limit
		want []specs.POSIXRlimit
	}{
		{nil, []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1000, Hard: 1000}}},
		{map[string]host.Limit{"RLIMIT_NOFILE": {Soft: 100, Hard: 1000}}, nil},
		{map[string]host.Limit{"RLIMIT_NOFILE": {Soft: 100, Hard: 4096}}, []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 100, Hard: 1000}}},
		{map[string]host.Limit{"RLIMIT_NOFILE": {Soft: 4096, Hard: 4096}}, []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1000, Hard: 1000}}},
	} {
		s := &specs.Spec{Process: &specs.Process{}}
		changes, err := New(p, c.has).Apply(s)
		if err != nil || len(changes) != len(c.want) || !slices.Equal(s.Process.Rlimits, c.want) {
			t.Errorf("%v: %v %v", c.has, s.Process.Rlimits, err)
		}
	}
}

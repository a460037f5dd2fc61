package resources

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func TestNoSwapIsSaidTwiceOnVersion2(t *testing.T) {
	limited := func() *specs.LinuxResources { return &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: i64(10)}} }
	for name, c := range map[string]struct {
		v2, swap bool
		beyond   *int64
		in       *specs.LinuxResources
		want     string
	}{
		"version 2":        {true, true, i64(0), limited(), "0"},
		"no memory limit":  {true, true, i64(0), &specs.LinuxResources{}, ""},
		"version 1":        {false, true, i64(0), limited(), ""},
		"not counted":      {true, false, i64(0), limited(), ""},
		"some swap":        {true, true, i64(5), limited(), ""},
		"no rule":          {true, true, nil, limited(), ""},
		"already in there": {true, true, i64(0), &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: i64(10)}, Unified: map[string]string{swapFile: "max"}}, "0"},
	} {
		p := &policy.Profile{Memory: policy.MemoryRules{Swap: c.beyond}}
		s := &specs.Spec{Linux: &specs.Linux{Resources: c.in}}
		control := New(p, host.Facts{Cgroup: host.Cgroup{V2: c.v2, Swap: c.swap}})
		if _, err := control.Apply(s); err != nil || s.Linux.Resources.Unified[swapFile] != c.want {
			t.Errorf("%s: %q %v", name, s.Linux.Resources.Unified[swapFile], err)
		}
		if again, err := control.Apply(s); err != nil || len(again) != 0 {
			t.Errorf("%s: not idempotent: %v %v", name, again, err)
		}
	}
}

// Docker's update of anything has a memory limit of 0.
func TestUpdateForgetsNoMemoryLimit(t *testing.T) {
	for _, v2 := range []bool{true, false} {
		r := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: i64(0)}}
		changes, err := Update(profile(), host.Cgroup{V2: v2, Swap: true}, r)
		if err != nil || (r.Memory.Limit == nil) != v2 || len(changes) > 1 {
			t.Errorf("version 2 %v: %+v %v %v", v2, r.Memory, changes, err)
		}
		r.Memory.Limit = i64(-1)
		if _, err := Update(profile(), host.Cgroup{V2: v2, Swap: true}, r); err != nil || *r.Memory.Limit != 1000 {
			t.Errorf("version 2 %v: no limit: %+v %v", v2, r.Memory, err)
		}
	}
}

package resources

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func i64(n int64) *int64   { return &n }
func u64(n uint64) *uint64 { return &n }

func profile() *policy.Profile {
	return &policy.Profile{
		Pids: policy.PidsRules{Max: i64(100)}, Memory: policy.MemoryRules{Max: i64(1000), Swap: i64(0)}, CPU: policy.CPURules{MaxMilli: i64(500)},
	}
}

func facts() host.Facts {
	return host.Facts{Cgroup: host.Cgroup{Controllers: []string{"pids", "memory", "cpu"}, Swap: true}}
}

func TestApply(t *testing.T) {
	yes := true
	for name, tc := range map[string]struct {
		in   specs.LinuxResources
		pids int64
		mem  int64
		swap int64
		cpu  int64
	}{
		"nothing asked": {specs.LinuxResources{}, 100, 1000, 1000, 50000},
		"lower stays": {specs.LinuxResources{
			Pids: &specs.LinuxPids{Limit: i64(5)}, Memory: &specs.LinuxMemory{Limit: i64(10), Swap: i64(10)},
			CPU: &specs.LinuxCPU{Quota: i64(7), Period: u64(2000)},
		}, 5, 10, 10, 7},
		"unlimited": {specs.LinuxResources{
			Pids: &specs.LinuxPids{Limit: i64(-1)}, Memory: &specs.LinuxMemory{Limit: i64(-1), Swap: i64(-1), DisableOOMKiller: &yes},
			CPU: &specs.LinuxCPU{Quota: i64(-1), Period: u64(1000)},
		}, 100, 1000, 1000, 500},
		"docker's double swap": {specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: i64(10), Swap: i64(20)}}, 100, 10, 10, 50000},
	} {
		s := &specs.Spec{Linux: &specs.Linux{Resources: &tc.in}}
		if _, err := New(profile(), facts()).Apply(s); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := s.Linux.Resources
		if *r.Pids.Limit != tc.pids || *r.Memory.Limit != tc.mem || *r.Memory.Swap != tc.swap || *r.CPU.Quota != tc.cpu {
			t.Errorf("%s: pids %d memory %d swap %d cpu %d", name, *r.Pids.Limit, *r.Memory.Limit, *r.Memory.Swap, *r.CPU.Quota)
		}
		if d := r.Memory.DisableOOMKiller; d != nil && *d {
			t.Errorf("%s: may not be killed", name)
		}
		if again, err := New(profile(), facts()).Apply(s); err != nil || len(again) != 0 {
			t.Errorf("%s: not idempotent: %v %v", name, again, err)
		}
	}
}

func TestMissingControllerRefuses(t *testing.T) {
	f := facts()
	f.Cgroup.Controllers = []string{"memory", "cpu"}
	_, err := New(profile(), f).Apply(&specs.Spec{})
	if r, _ := control.Refusals(err); len(r) != 1 || !strings.Contains(err.Error(), "no pids controller") {
		t.Errorf("%v", err)
	}
}

func TestUnified(t *testing.T) {
	for key, tc := range map[string]struct{ in, want string }{
		"pids.max":        {"max", "100"},
		"memory.max":      {"5000", "1000"},
		"memory.high":     {"12", "12"},
		"memory.swap.max": {"max", "0"},
		"cpu.max":         {"max 1000", "500 1000"},
		"cpu.weight":      {"100", "100"},
		"cgroup.procs":    {"1", "refused"},
		"../x":            {"1", "refused"},
		"memory.low":      {"lots", "refused"},
	} {
		s := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{Unified: map[string]string{key: tc.in}}}}
		_, err := New(profile(), facts()).Apply(s)
		if r, _ := control.Refusals(err); (tc.want == "refused") != (len(r) == 1) {
			t.Errorf("%s: %v", key, err)
		}
		if got := s.Linux.Resources.Unified[key]; tc.want != "refused" && got != tc.want {
			t.Errorf("%s: %q, want %q", key, got, tc.want)
		}
	}
}

func TestUpdateLeavesWhatIsNotThere(t *testing.T) {
	r := &specs.LinuxResources{}
	if changes, err := Update(profile(), facts().Cgroup, r); err != nil || len(changes) != 0 || r.Pids != nil || r.Memory != nil || r.CPU != nil {
		t.Errorf("%v %v", changes, err)
	}
	r = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: i64(-1)}, Memory: &specs.LinuxMemory{Limit: i64(5000)}, CPU: &specs.LinuxCPU{Quota: i64(-1)}}
	if _, err := Update(profile(), facts().Cgroup, r); err != nil || *r.Pids.Limit != 100 || *r.Memory.Limit != 1000 || *r.CPU.Quota != 50000 {
		t.Errorf("%+v %v", r, err)
	}
}

// Docker sends 0 for what an update does not speak of: it is no request for
// the ceiling, which may be above what the container has.
func TestUpdateLeavesZeroAlone(t *testing.T) {
	r := &specs.LinuxResources{
		Pids: &specs.LinuxPids{Limit: i64(0)}, Memory: &specs.LinuxMemory{Limit: i64(0), Reservation: i64(0), Swap: i64(0)},
		CPU: &specs.LinuxCPU{Shares: u64(7), Quota: i64(0), Period: u64(0)},
	}
	changes, err := Update(profile(), facts().Cgroup, r)
	if err != nil || len(changes) != 0 || *r.Pids.Limit != 0 || *r.Memory.Limit != 0 || *r.Memory.Swap != 0 || *r.CPU.Quota != 0 {
		t.Errorf("%+v %v", changes, err)
	}
}

// What an update changes together with something that it leaves as it is
// could come to more than the ceiling.
func TestUpdateOfAPartIsRefused(t *testing.T) {
	for name, r := range map[string]*specs.LinuxResources{
		"swap alone":         {Memory: &specs.LinuxMemory{Swap: i64(-1)}},
		"swap, limit 0":      {Memory: &specs.LinuxMemory{Limit: i64(0), Swap: i64(2000)}},
		"quota alone":        {CPU: &specs.LinuxCPU{Quota: i64(50000)}},
		"period alone":       {CPU: &specs.LinuxCPU{Period: u64(1000)}},
		"period with 0":      {CPU: &specs.LinuxCPU{Period: u64(1000), Quota: i64(0)}},
		"quota with 0":       {CPU: &specs.LinuxCPU{Period: u64(0), Quota: i64(500)}},
		"realtime and quota": {CPU: &specs.LinuxCPU{Quota: i64(500), RealtimeRuntime: i64(5)}},
	} {
		_, err := Update(profile(), facts().Cgroup, r)
		if refusals, other := control.Refusals(err); len(refusals) != 1 || other != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUpdateAddsNoSwapBeyondTheLimit(t *testing.T) {
	p := profile()
	p.Memory.Swap = i64(500)
	r := &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: i64(100)}}
	if _, err := Update(p, facts().Cgroup, r); err != nil || *r.Memory.Swap != 100 {
		t.Errorf("%+v %v", r.Memory, err)
	}
}

func TestNoProcessIsOne(t *testing.T) {
	s := &specs.Spec{Linux: &specs.Linux{Resources: &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: i64(0)}}}}
	if _, err := New(profile(), facts()).Apply(s); err != nil || *s.Linux.Resources.Pids.Limit != 1 {
		t.Errorf("%d %v", *s.Linux.Resources.Pids.Limit, err)
	}
}

func TestNeverAboveTheCeilingNorTheRequest(t *testing.T) {
	limit := rapid.OneOf(rapid.Just(int64(-1)), rapid.Just(int64(0)), rapid.Int64())
	above := func(after, before *int64, ceiling int64) bool {
		return unlimited(after) || *after > ceiling || !unlimited(before) && *after > *before
	}
	rapid.Check(t, func(t *rapid.T) {
		pids, mem, quota := limit.Draw(t, "pids"), limit.Draw(t, "mem"), limit.Draw(t, "quota")
		period := rapid.Uint64().Draw(t, "period")
		r := &specs.LinuxResources{
			Pids: &specs.LinuxPids{Limit: i64(pids)}, Memory: &specs.LinuxMemory{Limit: i64(mem)},
			CPU: &specs.LinuxCPU{Quota: i64(quota), Period: u64(period)},
		}
		s := &specs.Spec{Linux: &specs.Linux{Resources: r}}
		if _, err := New(profile(), facts()).Apply(s); err != nil {
			t.Fatal(err)
		}
		if above(r.Pids.Limit, &pids, 100) || above(r.Memory.Limit, &mem, 1000) {
			t.Fatalf("%+v", r)
		}
		share := float64(*r.CPU.Quota) / float64(*r.CPU.Period)
		if unlimited(r.CPU.Quota) || share > 0.5 {
			t.Fatalf("quota %d of %d", *r.CPU.Quota, *r.CPU.Period)
		}
		// Outside of these the kernel takes no quota at all.
		if in := period >= minPeriod && period <= maxPeriod; in && !unlimited(&quota) && share > float64(quota)/float64(period) {
			t.Fatalf("quota %d of %d, asked %d of %d", *r.CPU.Quota, *r.CPU.Period, quota, period)
		}
		if again, err := New(profile(), facts()).Apply(s); err != nil || len(again) != 0 {
			t.Fatalf("not idempotent: %v %v", again, err)
		}
	})
}

// The share of CPU time is never more than was asked for, whatever the period,
// and in an update it is told whole: runc would keep the container's period.
func TestUpdateOfCPU(t *testing.T) {
	p := &policy.Profile{CPU: policy.CPURules{MaxMilli: new(int64(1000))}}
	for _, c := range []struct {
		quota      int64
		period     *uint64
		wantQuota  int64
		wantPeriod uint64
	}{
		{50000, new(uint64(100000)), 50000, 100000},
		{500000, new(uint64(100000)), 100000, 100000},
		{10000, new(uint64(50000)), 10000, 50000},
		{5000000, new(uint64(10000000)), 50000, 100000}, // the kernel takes no such period
		{-1, nil, 100000, 100000},
	} {
		r := &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &c.quota, Period: c.period}}
		if _, err := Update(p, host.Cgroup{}, r); err != nil {
			t.Fatal(err)
		}
		if *r.CPU.Quota != c.wantQuota || r.CPU.Period == nil || *r.CPU.Period != c.wantPeriod {
			t.Errorf("%+v: %d of %v", c, *r.CPU.Quota, r.CPU.Period)
		}
	}
}

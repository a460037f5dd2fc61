package resources

import (
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// The class of packets goes, at create and at update; priorities stay.
func TestClassOfPackets(t *testing.T) {
	class := uint32(0x100001)
	asked := func(priorities ...specs.LinuxInterfacePriority) *specs.LinuxResources {
		return &specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: &class, Priorities: priorities}}
	}
	lo := specs.LinuxInterfacePriority{Name: "lo", Priority: 1}
	for _, r := range []*specs.LinuxResources{asked(), asked(lo)} {
		want := len(r.Network.Priorities)
		changes, err := Update(profile(), facts().Cgroup, r)
		if err != nil || len(changes) != 1 || changes[0].Field != "linux.resources.network.classID" || (r.Network != nil) != (want > 0) {
			t.Errorf("update: %v %v %+v", changes, err, r.Network)
		}
	}
	s := &specs.Spec{Linux: &specs.Linux{Resources: asked(lo)}}
	if _, err := New(profile(), facts()).Apply(s); err != nil || s.Linux.Resources.Network.ClassID != nil || len(s.Linux.Resources.Network.Priorities) != 1 {
		t.Errorf("create: %v %+v", err, s.Linux.Resources.Network)
	}
}

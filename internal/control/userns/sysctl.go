package userns

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
)

// pingGroups is set by Docker to all groups there are, and the kernel takes
// only groups that the user namespace has.
const pingGroups = "net.ipv4.ping_group_range"

// domainSetting belongs to the host's root, whatever the user namespace
// (kernel/utsname_sysctl.c): inside nobody may write it, and the container would
// not start. Docker sets it for --domainname.
const domainSetting = "kernel.domainname"

// domain lets the low-level runtime set the domain by its call, which a user
// namespace permits. runc before 1.2 has none for it.
func (c userns) domain(s *specs.Spec) []control.Change {
	was, ok := s.Linux.Sysctl[domainSetting]
	if !ok || was == "" || s.Domainname != "" || readsNoMapping(c.facts.Runtime) {
		return nil
	}
	delete(s.Linux.Sysctl, domainSetting)
	s.Domainname = was
	return []control.Change{{
		Field: "linux.sysctl[" + domainSetting + "]", Before: was, After: "domainname",
		Reason: "in a user namespace nobody may write the setting: the same is asked for as domainname",
	}}
}

// clip holds it to the groups of the container.
func clip(s *specs.Spec) []control.Change {
	was, ok := s.Linux.Sysctl[pingGroups]
	if !ok {
		return nil
	}
	var low, high uint64
	if n, err := fmt.Sscan(was, &low, &high); n == 2 && err == nil && (high < size || low > high) {
		return nil
	}
	ch := control.Change{Field: "linux.sysctl[" + pingGroups + "]", Before: was, Reason: "the user namespace has no other groups"}
	if low >= size {
		ch.After = "none"
		delete(s.Linux.Sysctl, pingGroups)
		return []control.Change{ch}
	}
	ch.After = fmt.Sprintf("%d %d", low, size-1)
	s.Linux.Sysctl[pingGroups] = ch.After
	return []control.Change{ch}
}

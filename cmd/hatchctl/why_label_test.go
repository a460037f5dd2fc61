package main

import (
	"testing"
	"time"

	"github.com/hatchdog/hatchdog/internal/decision"
	"github.com/hatchdog/hatchdog/internal/inside"
)

// A denial by SELinux is this container's by its label, if that has categories, and
// never by the id of a user, which SELinux does not log.
func TestDenialsOfALabel(t *testing.T) {
	const own, bare = "system_u:system_r:container_t:s0:c1,c2", "system_u:system_r:container_t:s0"
	now := time.Now()
	for _, c := range []struct {
		container, process string
		at                 time.Time
		want               bool
	}{
		{own, own, now, true},
		{own, own, now.Add(-time.Hour), false}, // an earlier container had it
		{own, "system_u:system_r:container_t:s0:c1,c3", now, false},
		{bare, bare, now, false}, // any container's
		{"", "", now, false},
	} {
		s := &subject{entry: &decision.Entry{Record: &decision.Record{Labels: decision.Labels{SELinux: c.container}}}}
		s.d.Time = now.Add(-time.Minute)
		got := s.own([]inside.Denial{{Module: "selinux", Time: c.at, Pid: 1, UID: 0, Profile: c.process}})
		if (len(got) == 1) != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

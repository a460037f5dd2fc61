package userns

import (
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
)

const nproc = "RLIMIT_NPROC"

// processes holds each user of a new user namespace to the profile's number of
// processes, where the control group might not: its file can be lost (a driver
// that moves the container, a hierarchy without the controller). The kernel
// counts by user of the host, so that without ids of its own a container would
// be stopped by what others run.
func (c userns) processes(s *specs.Spec) []control.Change {
	most := c.profile.Pids.Max
	if s.Process == nil || most == nil || *most <= 0 {
		return nil
	}
	limit := uint64(*most)
	has, known := c.facts.Limits[nproc]
	i := slices.IndexFunc(s.Process.Rlimits, func(l specs.POSIXRlimit) bool { return l.Type == nproc })
	before := ""
	switch {
	case i < 0 && known && has.Hard <= limit:
		return nil // it inherits as little
	case i < 0:
		s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: nproc, Soft: limit, Hard: limit})
	default:
		l := &s.Process.Rlimits[i]
		if l.Hard <= limit {
			return nil
		}
		before = strconv.FormatUint(l.Hard, 10)
		l.Hard, l.Soft = limit, min(l.Soft, limit)
	}
	return []control.Change{{
		Field: "process.rlimits[" + nproc + "]", Before: before, After: strconv.FormatUint(limit, 10),
		Reason: "each user of the container is held to pids.max, beside its control group",
	}}
}

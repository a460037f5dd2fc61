package seccomp

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
	filters "github.com/hatchdog/hatchdog/internal/seccomp"
)

// Watch has the kernel log, and not deny, what the profile's table denies. It
// changes linux.seccomp of the spec and nothing else, and returns what a reader
// of the log must know.
func Watch(p *policy.Profile, s *specs.Spec) (string, error) {
	if p.Seccomp.Table == policy.TableNone {
		return "", nil
	}
	t := table{p.Seccomp}
	grants, wish, err := t.resolve(s)
	if err != nil {
		return "", err
	}
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	if s.Linux.Seccomp != nil {
		if _, err := filters.Parse(s.Linux.Seccomp); err != nil {
			return "", err
		}
	}
	watched, partly, err := filters.Watch(s.Linux.Seccomp, grants, wish)
	if err != nil {
		return "", err
	}
	s.Linux.Seccomp = watched
	note := "the kernel logs the system calls that the profile would deny"
	if len(partly) > 0 {
		note += ", but not those that it would deny for some arguments only: " + strings.Join(partly, " ")
	}
	return note, nil
}

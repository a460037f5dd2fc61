package mounts

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Note says what an exception of the administrator's opens beside the path that
// it names.
func (c mounts) Note(s *specs.Spec) string {
	var all []string
	for _, m := range s.Mounts {
		src, ok := c.facts.Sources[m.Source]
		if !ok || !isBind(m) {
			continue
		}
		if opened := c.opened(src.Resolved, src.Contains); len(opened) > 0 {
			all = append(all, "mounts["+at(m)+"]: the exception for "+src.Resolved+" opens what is protected below it: "+strings.Join(opened, ", "))
		}
	}
	return strings.Join(all, "; ")
}

// opened are the protected paths below one that is open as a whole.
func (c mounts) opened(name string, contains []string) []string {
	if _, ok := c.profile.Mounts.Opens(name); !ok {
		return nil
	}
	var all []string
	for _, r := range c.profile.Mounts.Contains(name) {
		all = append(all, r.Path)
	}
	for _, p := range contains {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

package userns

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
)

// A part of the request that would stand against a user namespace of ours is no
// reason to go without one: it is taken away, or the request is refused.

// mend takes away what the container's user namespace does not have.
func mend(s *specs.Spec, ids host.IDRange) []control.Change {
	changes := append(groups(s, ids), strays(s)...)
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if !remapped(*m) {
			continue
		}
		m.UIDMappings, m.GIDMappings = nil, nil
		m.Options = slices.DeleteFunc(slices.Clone(m.Options), mapsIDs)
		changes = append(changes, control.Change{
			Field: "mounts[" + m.Destination + "].uidMappings", Before: "a mapping of its own", After: "that of the container",
			Reason: "the mapping of a mount decides whose its files are: it is the container's",
		})
	}
	return changes
}

// groups takes additional groups away that the user namespace does not have.
func groups(s *specs.Spec, ids host.IDRange) []control.Change {
	if s.Process == nil {
		return nil
	}
	var changes []control.Change
	u := &s.Process.User
	kept := slices.DeleteFunc(slices.Clone(u.AdditionalGids), func(id uint32) bool {
		if ids.Covers(id) {
			return false
		}
		changes = append(changes, control.Change{
			Field: "process.user.additionalGids", Before: fmt.Sprint(id), Reason: "the user namespace has the groups " + ids.Inside(),
		})
		return true
	})
	if len(changes) > 0 {
		u.AdditionalGids = kept
	}
	return changes
}

// strays takes mappings away that belong to no user namespace.
func strays(s *specs.Spec) []control.Change {
	if len(s.Linux.UIDMappings) == 0 && len(s.Linux.GIDMappings) == 0 {
		return nil
	}
	s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
	return []control.Change{{
		Field: "linux.uidMappings", Before: "a mapping without a user namespace", After: "that of hatchdog",
		Reason: "a mapping alone gives no user namespace",
	}}
}

func remapped(m specs.Mount) bool {
	return len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0 || slices.ContainsFunc(m.Options, mapsIDs)
}

func mapsIDs(option string) bool { return option == "idmap" || option == "ridmap" }

// locked takes options away that would clear what a user namespace locks: the
// host mounted the file system so, and the low-level runtime could not.
func (c userns) locked(s *specs.Spec) []control.Change {
	clears := map[string]string{"ro": "rw", "noexec": "exec"}
	var changes []control.Change
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if !isBind(*m) {
			continue
		}
		for _, flag := range c.facts.Sources[m.Source].Flags {
			kept := slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == clears[flag] })
			if len(kept) == len(m.Options) {
				continue
			}
			m.Options = kept
			changes = append(changes, control.Change{
				Field: "mounts[" + m.Destination + "].options", Before: clears[flag], After: flag,
				Reason: "the host mounted the file system " + flag + ", which a user namespace cannot change",
			})
		}
	}
	return changes
}

// mounted refuses mappings of mounts that are not the container's own.
func (c userns) mounted(s *specs.Spec) error {
	for _, m := range s.Mounts {
		if !remapped(m) {
			continue
		}
		none := len(m.UIDMappings) == 0 && len(m.GIDMappings) == 0 // the low-level runtime then takes the container's
		if given(s) && (none || slices.Equal(m.UIDMappings, s.Linux.UIDMappings) && slices.Equal(m.GIDMappings, s.Linux.GIDMappings)) {
			continue
		}
		return c.refuse("mounts["+m.Destination+"].uidMappings",
			"the mount has an id mapping that is not the container's: users of the container could own files of the host's root",
			"leave the mapping out, or give the container a user namespace with the same one")
	}
	return nil
}

// Package userns gives a container a user namespace of its own, so that its
// root is nobody on the host.
//
// Guarantees: a container that did not ask for a user namespace gets one with
// the ids that were set aside for it, or the user namespace of the container
// whose namespaces it joins; one that asked for a user namespace keeps it,
// which maps only ids that belong to an engine; a mapping of a mount is the
// container's own; where the host has none, the reason is told, and nothing is
// started if the profile requires one. It has ids above 65535 where its process,
// its volumes or its image do. Ids, groups and mappings of a request that would
// stand against one are taken away or refused.
// Does not cover: making the files and devices of the container fit, which is
// the host work that follows (package effects).
// Requires: facts on the root file system, the sources of the bind mounts and
// the joined namespaces; ids that were set aside.
// Spec fields touched: linux.namespaces, linux.uidMappings, linux.gidMappings,
// linux.sysctl (net.ipv4.ping_group_range,
// kernel.domainname), domainname, mounts[].options,
// mounts[].uidMappings, mounts[].gidMappings, process.user.additionalGids,
// process.rlimits[RLIMIT_NPROC].
package userns

import (
	"errors"
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// size is how many ids from 0 on a container has at least.
const size = 1 << 16

type userns struct {
	profile *policy.Profile
	facts   host.Facts
	restore bool
}

// New makes the control. restore is true where a checkpoint is brought back.
func New(p *policy.Profile, f host.Facts, restore bool) control.Control {
	return userns{p, f, restore}
}

func (userns) Name() string { return policy.UserNS }

func (c userns) Apply(s *specs.Spec) ([]control.Change, error) {
	if given(s) {
		return c.volumes(s), errors.Join(c.keep(s), c.mounted(s))
	}
	v := Decide(c.profile, c.facts, s, c.restore)
	if v.Why != "" && (v.Caused || c.profile.UserNS.Mode == policy.UserNSRequired) {
		reason, without := "the profile requires a user namespace, and there can be none: ", policy.UserNSAuto
		if v.Caused {
			reason, without = "the profile gives it a user namespace, and what it asks for would take that away: ", policy.UserNSOff
		}
		r := &control.Refusal{
			Control: policy.UserNS, Field: v.Field, Reason: reason + v.Why, Policy: c.profile.Where("userns.mode"), Remedy: v.Remedy,
		}
		return nil, r.Granting(control.Set("userns.mode", string(without)))
	}
	if !v.Use {
		return c.volumes(s), c.mounted(s)
	}
	ids := v.Join.Range
	if v.Join.Path == "" {
		ids = c.facts.UserNS.Range
	}
	if ids.Low() < size {
		return nil, errNoRange
	}
	if err := c.absent(s, v, ids); err != nil {
		return nil, err
	}
	changes := append(append(mend(s, ids), c.locked(s)...), c.namespace(s, v, ids))
	if !foreignNet(c.facts, s) {
		changes = append(changes, clip(s)...)
	}
	changes = append(changes, c.domain(s)...)
	if v.Join.Path == "" {
		changes = append(changes, c.processes(s)...)
	}
	return append(changes, c.volumes(s)...), nil
}

var errNoRange = errors.New("no ids were set aside for the user namespace")

// given reports whether the spec asks for a user namespace itself.
func given(s *specs.Spec) bool {
	return s.Linux != nil && slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == specs.UserNamespace })
}

// namespace asks the low-level runtime for it. runc before 1.2 wants the
// mapping of a user namespace that is joined, later ones read it.
func (c userns) namespace(s *specs.Spec, v Verdict, ids host.IDRange) control.Change {
	ns := specs.LinuxNamespace{Type: specs.UserNamespace, Path: v.Join.Path}
	s.Linux.Namespaces = append(s.Linux.Namespaces, ns)
	if v.Join.Path == "" || readsNoMapping(c.facts.Runtime) {
		s.Linux.UIDMappings, s.Linux.GIDMappings = mapping(ids), mapping(ids)
	}
	after := fmt.Sprintf("new, host ids %d-%d", ids.Base, ids.Base+ids.Size-1)
	reason := "root in the container is nobody on the host"
	if v.Join.Path != "" {
		after = fmt.Sprintf("shared, host ids %d-%d", ids.Base, ids.Base+ids.Size-1)
		reason = "root in the container is nobody on the host; it joins namespaces of a container with these ids"
	}
	if len(ids.Lines()) > 1 {
		after += ", inside " + ids.Inside()
	}
	return control.Change{Field: "linux.namespaces[user]", After: after, Reason: reason}
}

// volumes makes those read-only that the profile wants so.
func (c userns) volumes(s *specs.Spec) []control.Change {
	var changes []control.Change
	for i := range s.Mounts {
		m := &s.Mounts[i]
		if !isBind(*m) || slices.Contains(m.Options, "rro") || !c.readOnly(c.facts.Sources[m.Source]) {
			continue
		}
		m.Options = slices.DeleteFunc(slices.Clone(m.Options), func(o string) bool { return o == "rrw" })
		m.Options = append(m.Options, "rro")
		changes = append(changes, control.Change{
			Field: "mounts[" + m.Destination + "].options", After: "rro", Reason: "the profile lets the volume be read only",
		})
	}
	return changes
}

// readOnly reports whether a rule lets the volume be read only, under any of
// the names that lead to it.
func (c userns) readOnly(src host.Source) bool {
	return slices.ContainsFunc(append([]string{src.Resolved}, src.Aliases...), func(name string) bool {
		return c.profile.UserNS.Volumes.For(name).ReadOnly()
	})
}

func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

package mounts

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// root judges where the root file system is: below the bundle, where an engine
// keeps those of its containers, or anywhere that is not protected, and that
// under each of its names.
func (c mounts) root(s *specs.Spec) error {
	root := c.facts.Root
	if s.Root == nil || root == nil || root.Missing {
		return nil // without one the low-level runtime starts nothing
	}
	refuse := func(reason string) error {
		return &control.Refusal{
			Control: policy.Mounts, Field: "root.path", Reason: reason, Policy: c.profile.Where("rootfs.allow"),
			Remedy: "put the root file system into the bundle, or add its place to rootfs.allow of a profile for this workload",
		}
	}
	if root.Err != "" {
		return refuse("it cannot be examined: " + root.Err)
	}
	rules := c.profile.Mounts
	for _, name := range append([]string{root.Resolved}, root.Aliases...) {
		admitted := name == root.Resolved && root.InBundle ||
			slices.ContainsFunc(c.profile.RootFS.Allow, func(p string) bool { return policy.MatchPath(p, name) })
		if access, rule := rules.AccessFor(name); access != policy.AccessRW && !admitted {
			return refuse(sentence(root.Source, rule))
		}
		if below := rules.Contains(name); len(below) > 0 {
			return refuse(sentence(root.Source, below[0]))
		}
	}
	for _, rule := range rules.Protect {
		if slices.Contains(root.Contains, rule.Path) {
			return refuse(sentence(root.Source, rule))
		}
	}
	return nil
}

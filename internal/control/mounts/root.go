package mounts

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// places are what admits a root file system under each of its names.
func (c mounts) places(root *host.Root) []control.Grant {
	var all []control.Grant
	for _, name := range slices.Concat([]string{root.Resolved}, root.Aliases, root.Brings) {
		all = append(all, control.Add("rootfs.allow", control.Quoted(name)))
	}
	return all
}

// root judges where the root file system is: below the bundle, where an engine
// keeps those of its containers, or anywhere that is not protected, and that
// under each of its names.
func (c mounts) root(s *specs.Spec) error {
	root := c.facts.Root
	if s.Root == nil || root == nil || root.Missing {
		return nil // without one the low-level runtime starts nothing
	}
	refuse := func(reason string, grants ...control.Grant) error {
		r := &control.Refusal{
			Control: policy.Mounts, Field: "root.path", Reason: reason, Policy: c.profile.Where("rootfs.allow"),
			Remedy: "put the root file system into the bundle",
		}
		return r.Granting(grants...)
	}
	if root.Err != "" {
		return refuse("it cannot be examined: " + root.Err)
	}
	rules := c.profile.Mounts
	for _, name := range slices.Concat([]string{root.Resolved}, root.Aliases, root.Brings) {
		admitted := name == root.Resolved && root.InBundle ||
			slices.ContainsFunc(c.profile.RootFS.Allow, func(p string) bool { return policy.MatchPath(p, name) })
		if access, rule := rules.AccessFor(name); access != policy.AccessRW && !admitted {
			return refuse(sentence(root.Source, rule), c.places(root)...)
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

package mounts

import (
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// admits is what admits a root file system under each of its names.
func (c mounts) admits(root *host.Root) []control.Grant {
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
			return refuse(sentence(root.Source, rule), c.admits(root)...)
		}
		if below := rules.Contains(name); len(below) > 0 {
			return refuse(sentence(root.Source, below[0]))
		}
	}
	if why := misleads(root, s); why != "" {
		r := &control.Refusal{
			Control: policy.Mounts, Field: "root.path", Reason: why, Policy: c.profile.Where("rootfs.allow"), Remedy: "mend the image",
		}
		return r
	}
	for _, rule := range rules.Protect {
		if slices.Contains(root.Contains, rule.Path) {
			return refuse(sentence(root.Source, rule))
		}
	}
	return nil
}

// misleads says what of an image has misled low-level runtimes; "" is nothing.
func misleads(root *host.Root, s *specs.Spec) string {
	fresh := false
	for _, m := range s.Mounts { // the last one covers the others
		if at(m) == "/dev" {
			fresh = !isBind(m) && !slices.Contains(m.Options, "tmpcopyup")
		}
	}
	for _, l := range root.Links {
		if !strings.HasPrefix(l, "/dev/") || !fresh { // a file system of its own covers them
			return l + " of the image is a symbolic link, and low-level runtimes were led by it to where nothing is masked (CVE-2023-27561, CVE-2025-31133)"
		}
	}
	if control.OfProcess(root.Cwd) {
		return "the working directory is a link of the image or of a volume to " + root.Cwd + ", a process's own view, by which containers got out (CVE-2024-21626)"
	}
	return ""
}

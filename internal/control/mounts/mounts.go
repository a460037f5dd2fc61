// Package mounts holds what a container mounts to the profile.
//
// Guarantees: no bind mount gives a protected path of the host, whatever it is
// called there, nor a socket or device node that the profile does not admit;
// the root file system is none of the host's own directories; nothing stands,
// by links of the image and of volumes either, for it, for procfs or for the
// directories of devices and terminals;
// nothing that the container mounts spreads to the host; sysfs and the control
// groups are read-only; no file system of the host is mounted but by a bind
// mount; the masked and read-only paths are complete; the root file system is
// read-only where the profile wants it.
// Does not cover: what an admitted source holds; links that somebody changes
// while the container starts, which the low-level runtime resolves within the
// root file system.
// Requires: facts on each source; mount_setattr(2), kernel 5.12, for
// nosuid, nodev and read-only on all that a bind mount brings along.
// Spec fields touched: mounts, root.readonly, linux.maskedPaths,
// linux.readonlyPaths, linux.rootfsPropagation.
package mounts

import (
	"errors"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type mounts struct {
	profile *policy.Profile
	facts   host.Facts
}

// New makes the control.
func New(p *policy.Profile, f host.Facts) control.Control { return mounts{p, f} }

func (mounts) Name() string { return policy.Mounts }

func (c mounts) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	var changes []control.Change
	var refusals []error
	kept := make([]specs.Mount, 0, len(s.Mounts))
	for i, m := range s.Mounts {
		e := c.judge(m, s.Process)
		switch {
		case e.refusal == nil:
			kept = append(kept, e.mount)
			changes = append(changes, e.changes(m)...)
		case c.profile.OnExcess[policy.Mounts] == policy.Tighten && !e.fixed && isBind(m) && !covers(m, s.Mounts[:i]):
			changes = append(changes, control.Change{
				Field: e.refusal.Field, Before: show(m), After: "none", Reason: e.refusal.Reason,
			})
		default:
			kept = append(kept, m)
			refusals = append(refusals, e.refusal)
		}
	}
	s.Mounts = kept
	refusals = append(refusals, c.root(s), c.propagation(s.Linux))
	changes = append(changes, c.rootfs(s)...)
	changes = append(changes, c.complete(&s.Linux.MaskedPaths, "linux.maskedPaths", c.profile.Mounts.Masked)...)
	changes = append(changes, c.complete(&s.Linux.ReadonlyPaths, "linux.readonlyPaths", c.profile.Mounts.ReadOnly)...)
	return changes, errors.Join(refusals...)
}

// isBind reads a mount as runc does: the option decides as the type does
// (libcontainer/specconv, createLibcontainerMount).
func isBind(m specs.Mount) bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// at is the destination as the low-level runtime reads it.
func at(m specs.Mount) string { return path.Clean("/" + m.Destination) }

// covers reports whether a mount may hide a part of an earlier one, which would
// lie open without it.
func covers(m specs.Mount, earlier []specs.Mount) bool {
	return slices.ContainsFunc(earlier, func(o specs.Mount) bool {
		return at(m) == at(o) || strings.HasPrefix(at(m), strings.TrimSuffix(at(o), "/")+"/")
	})
}

// show names a mount for a reader.
func show(m specs.Mount) string {
	if isBind(m) {
		return m.Source
	}
	return m.Type
}

// edit is the judgement of one mount.
type edit struct {
	mount   specs.Mount
	reasons []string
	refusal *control.Refusal
	fixed   bool // it is not left out: the image's own would lie there
}

func (c mounts) judge(m specs.Mount, p *specs.Process) *edit {
	e := &edit{mount: m}
	e.mount.Options = slices.Clone(m.Options)
	why, remedy := c.standsFor(m)
	switch {
	case why != "":
		c.refuse(e, ".destination", why, "mounts.masked", remedy)
		e.fixed = true
	case slices.Contains(m.Options, "remount"):
		c.refuse(e, ".options", "remount changes a mount that is there already: what was made read-only could be written to",
			"mounts.protect", "give the options to the mount itself")
	case isBind(m):
		c.bind(e, p)
	default:
		c.fresh(e)
	}
	c.spread(e)
	return e
}

func (e *edit) changes(was specs.Mount) []control.Change {
	if slices.Equal(was.Options, e.mount.Options) {
		return nil
	}
	return []control.Change{{
		Field:  "mounts[" + at(was) + "].options",
		Before: strings.Join(was.Options, ","), After: strings.Join(e.mount.Options, ","),
		Reason: strings.Join(e.reasons, "; "),
	}}
}

func (c mounts) refuse(e *edit, field, reason, key, remedy string, grants ...control.Grant) {
	r := &control.Refusal{
		Control: policy.Mounts, Field: "mounts[" + at(e.mount) + "]" + field,
		Reason: reason, Policy: c.profile.Where(key), Remedy: remedy,
	}
	e.refusal = r.Granting(grants...)
}

// need sets an option and takes its opposites away: of two that differ the
// last one wins in runc, and what is read once is not to be read twice.
func (e *edit) need(option, reason string, opposites ...string) {
	before := len(e.mount.Options)
	e.mount.Options = slices.DeleteFunc(e.mount.Options, func(o string) bool { return slices.Contains(opposites, o) })
	changed := len(e.mount.Options) != before
	if !slices.Contains(e.mount.Options, option) {
		e.mount.Options = append(e.mount.Options, option)
		changed = true
	}
	if changed && !slices.Contains(e.reasons, reason) {
		e.reasons = append(e.reasons, reason)
	}
}

// spreads is why no mount of a container may reach the host: it is made by
// another, and stays when the container is gone.
const spreads = "what the container mounts there would appear on the host"

// spread refuses a mount that gives mounts made in the container to the host:
// without that it would be another mount than the one that was asked for.
func (c mounts) spread(e *edit) {
	if slices.ContainsFunc(e.mount.Options, isShared) && e.refusal == nil {
		c.refuse(e, ".options", spreads, "mounts.protect", "ask for rslave (HostToContainer), which lets the container see what the host mounts")
	}
}

func isShared(option string) bool { return option == "shared" || option == "rshared" }

func (c mounts) propagation(l *specs.Linux) error {
	if !isShared(l.RootfsPropagation) {
		return nil
	}
	return &control.Refusal{
		Control: policy.Mounts, Field: "linux.rootfsPropagation", Reason: "what the container mounts would appear on the host",
		Policy: c.profile.Where("mounts.protect"), Remedy: "ask for rslave, or leave it out",
	}
}

// complete adds the paths that are not listed. One that is not there is passed
// over by the low-level runtime.
func (c mounts) complete(have *[]string, field string, want []policy.ReasonedPath) []control.Change {
	var changes []control.Change
	for _, w := range want {
		paths := []string{w.Path}
		if strings.Contains(w.Path, "*") {
			paths = c.facts.Globs[w.Path]
		}
		for _, p := range paths {
			if slices.Contains(*have, p) || slices.Contains(c.profile.Mounts.Visible, w.Path) {
				continue
			}
			*have = append(*have, p)
			changes = append(changes, control.Change{Field: field, After: p, Reason: w.Reason})
		}
	}
	return changes
}

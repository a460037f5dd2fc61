package policy

import (
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/engine"
)

// Relocated is the profile with its rules on the usual directories of engines
// applied to those in use as well: an engine's state is protected where it is,
// not only where it usually is. An exception is carried over only to a directory
// that is open, so that nothing opens that was closed, or where it is for what
// bears the name of the workload's own (k3s, k0s and Podman have their state in
// what is protected).
func (p *Profile) Relocated(dirs []engine.Dir) *Profile {
	c := *p
	c.Mounts.Protect = slices.Clone(p.Mounts.Protect)
	c.Mounts.Allow = slices.Clone(p.Mounts.Allow)
	c.RootFS.Allow = slices.Clone(p.RootFS.Allow)
	for _, d := range dirs {
		if d.Usual == d.Actual || d.Actual == "/" || !strings.HasPrefix(d.Actual, "/") || strings.ContainsAny(d.Actual, "*{") {
			continue
		}
		access, _ := p.Mounts.AccessFor(d.Actual)
		if access != AccessRW {
			for _, r := range moved(p.Mounts.Allow, d) {
				if strings.Contains(r.Path, "/{") {
					c.Mounts.Allow = append(c.Mounts.Allow, r)
				}
			}
			continue // protected as it is
		}
		c.Mounts.Protect = append(c.Mounts.Protect, moved(p.Mounts.Protect, d)...)
		if !slices.ContainsFunc(p.Mounts.Protect, func(r PathRule) bool { return r.Path == d.Usual }) { // as a part of /run
			c.Mounts.Protect = append(c.Mounts.Protect, PathRule{Path: d.Actual, Access: AccessNone, Reason: "the state of the engine"})
		}
		c.Mounts.Allow = append(c.Mounts.Allow, moved(p.Mounts.Allow, d)...)
		for _, place := range p.RootFS.Allow {
			if rest, ok := strings.CutPrefix(place, d.Usual+"/"); ok {
				c.RootFS.Allow = append(c.RootFS.Allow, d.Actual+"/"+rest)
			}
		}
	}
	return &c
}

// For is the profile with {id}, {sandbox}, {pod}, {step} and {joined} in its exceptions
// replaced by the workload's own. One that is not known, or is not a plain name,
// opens nothing. {step} is any name, where the workload is a step of a build:
// BuildKit alone says what a step mounts, and the Dockerfile names no path of the host.
func (p *Profile) For(own map[string][]string) *Profile {
	c := *p
	c.Mounts.Allow = nil
	for _, r := range p.Mounts.Allow {
		c.Mounts.Allow = append(c.Mounts.Allow, expand(r, own)...)
	}
	return &c
}

// expand is the rule once for each of the names that its first placeholder
// stands for, and itself where it has none.
func expand(r PathRule, own map[string][]string) []PathRule {
	elements := strings.Split(r.Path, "/")
	at := slices.IndexFunc(elements, func(e string) bool { _, ok := own[e]; return ok })
	if at < 0 {
		return []PathRule{r}
	}
	var all []PathRule
	for _, name := range own[elements[at]] {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/*{") {
			continue
		}
		one := slices.Clone(elements)
		one[at] = name
		if elements[at] == "{step}" {
			one[at] = "*"
		}
		r.Path, r.Derived = strings.Join(one, "/"), true
		all = append(all, expand(r, own)...)
	}
	return all
}

func moved(rules []PathRule, d engine.Dir) []PathRule {
	var out []PathRule
	for _, r := range rules {
		if rest, ok := strings.CutPrefix(r.Path, d.Usual); ok && (rest == "" || rest[0] == '/') {
			r.Path, r.Derived = d.Actual+rest, true
			out = append(out, r)
		}
	}
	return out
}

package policy

import (
	"maps"
	"slices"
	"strings"
)

// Relocated is the profile with its rules on the directories on the left
// applied to those on the right as well: an engine's state is protected where
// it is, not only where it usually is. An exception is carried over only to a
// directory that is open, so that nothing opens that was closed, or where it is
// for what bears the name of the workload's own sandbox (k3s has its state in
// what is protected).
func (p *Profile) Relocated(dirs map[string]string) *Profile {
	c := *p
	c.Mounts.Protect = slices.Clone(p.Mounts.Protect)
	c.Mounts.Allow = slices.Clone(p.Mounts.Allow)
	c.RootFS.Allow = slices.Clone(p.RootFS.Allow)
	for _, usual := range slices.Sorted(maps.Keys(dirs)) {
		actual := dirs[usual]
		if usual == actual || actual == "/" || !strings.HasPrefix(actual, "/") || strings.Contains(actual, "*") {
			continue
		}
		access, _ := p.Mounts.AccessFor(actual)
		if access != AccessRW {
			for _, r := range moved(p.Mounts.Allow, usual, actual) {
				if strings.Contains(r.Path, "/{sandbox}") {
					c.Mounts.Allow = append(c.Mounts.Allow, r)
				}
			}
			continue // protected as it is
		}
		c.Mounts.Protect = append(c.Mounts.Protect, moved(p.Mounts.Protect, usual, actual)...)
		if usual == "/run/containerd" { // protected as a part of /run
			c.Mounts.Protect = append(c.Mounts.Protect, PathRule{actual, AccessNone, "the state of the engine"})
		}
		c.Mounts.Allow = append(c.Mounts.Allow, moved(p.Mounts.Allow, usual, actual)...)
		for _, place := range p.RootFS.Allow {
			if rest, ok := strings.CutPrefix(place, usual+"/"); ok {
				c.RootFS.Allow = append(c.RootFS.Allow, actual+"/"+rest)
			}
		}
	}
	return &c
}

// For is the profile with {id}, {sandbox} and {pod} in its exceptions replaced by
// the workload's own. One that is not known, or is not a plain name, opens
// nothing.
func (p *Profile) For(own map[string]string) *Profile {
	c := *p
	c.Mounts.Allow = slices.Clone(p.Mounts.Allow)
	for i, r := range c.Mounts.Allow {
		elements := strings.Split(r.Path, "/")
		for j, e := range elements {
			if name, ok := own[e]; ok && name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/*{") {
				elements[j] = name
			}
		}
		c.Mounts.Allow[i].Path = strings.Join(elements, "/")
	}
	return &c
}

func moved(rules []PathRule, usual, actual string) []PathRule {
	var out []PathRule
	for _, r := range rules {
		if rest, ok := strings.CutPrefix(r.Path, usual); ok && (rest == "" || rest[0] == '/') {
			r.Path = actual + rest
			out = append(out, r)
		}
	}
	return out
}

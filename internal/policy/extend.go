package policy

import (
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/moby/sys/capability"
	"go.yaml.in/yaml/v3"

	"github.com/hatchdog/hatchdog/profiles"
)

// builtin is a profile that comes with hatchdog. It was resolved when hatchdog
// was built: reading YAML at each start of a container would cost more than
// all the rest.
func (b *builder) builtin(name string) *Profile {
	short, ours := strings.CutPrefix(name, builtinPrefix)
	if !ours || !slices.Contains(profiles.Names(), short) {
		return nil
	}
	p := &Profile{}
	data, err := profiles.Compiled.ReadFile("compiled/" + short + ".json")
	if err == nil {
		err = jsonv2.Unmarshal(data, p)
	}
	if err != nil {
		b.errs = append(b.errs, Error{File: name, Message: err.Error()})
		return nil
	}
	b.policy.Profiles[name] = p
	return p
}

// resolve builds a profile on top of what it extends.
func (b *builder) resolve(name string, path []string) *Profile {
	if p, done := b.policy.Profiles[name]; done {
		return p
	}
	d, ok := b.drafts[name]
	if !ok {
		return b.builtin(name)
	}
	r := &reader{file: d.file, origin: map[string]string{}}
	defer func() { b.errs = append(b.errs, r.errs...) }()
	p := &Profile{}
	if parent, at := extends(d.body); at != nil {
		switch base := (*Profile)(nil); {
		case slices.Contains(append(path, name), parent):
			r.fail(at, "extends", "", "%q extends itself", parent)
		default:
			if base = b.resolve(parent, append(path, name)); base == nil {
				r.fail(at, "extends", nearest(parent, b.names()), "no profile %q", parent)
				break
			}
			c := *base
			p = &c
			maps.Copy(r.origin, base.Origin)
		}
	} else if name != builtinPrefix+"baseline" {
		r.fail(d.at, name, "", "a profile must extend another; write extends: builtin/restricted")
	}
	p.Name, p.Origin = name, r.origin
	r.object(withoutExtends(d.body), "", reflect.ValueOf(p).Elem())
	normalise(r, d.body, p)
	b.policy.Profiles[name] = p
	return p
}

func extends(n *yaml.Node) (string, *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "extends" {
			return n.Content[i+1].Value, n.Content[i+1]
		}
	}
	return "", nil
}

func withoutExtends(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "extends" {
			c.Content = append(c.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &c
}

// normalise brings names to the spec's spelling and refuses unknown ones.
func normalise(r *reader, n *yaml.Node, p *Profile) {
	known := knownCaps()
	caps := make([]string, 0, len(p.Capabilities.Max))
	for _, c := range p.Capabilities.Max {
		full := strings.ToUpper(c)
		if !strings.HasPrefix(full, "CAP_") {
			full = "CAP_" + full
		}
		if at := place(n, c, "capabilities", "max"); at != nil && !slices.Contains(known, full) {
			r.fail(at, "capabilities.max", nearest(full, known), "%q is not a capability", c)
		}
		caps = append(caps, full)
	}
	slices.Sort(caps)
	p.Capabilities.Max = slices.Compact(caps)
	for _, name := range append(slices.Clone(p.Apparmor.Keep), p.Apparmor.Profile) {
		if !ApparmorName(name) {
			r.fail(n, "apparmor", "", "%q is not the name of an AppArmor profile", name)
		}
	}
	for _, rule := range slices.Concat(p.Mounts.Protect, p.Mounts.Allow) {
		if at := place(n, rule.Path, "mounts"); at != nil && (!filepath.IsAbs(rule.Path) || filepath.Clean(rule.Path) != rule.Path) {
			r.fail(at, "mounts", "", "%q is not an absolute path in its shortest form", rule.Path)
		}
	}
	normaliseNetwork(r, n, p)
	if !p.UserNS.Size.valid() {
		r.fail(n, "userns.size", "", "min and max are not multiples of 65536, min the lower")
	}
	for _, rule := range p.UserNS.Volumes.Rules {
		if !filepath.IsAbs(rule.Path) || filepath.Clean(rule.Path) != rule.Path {
			r.fail(n, "userns.volumes.rules", "", "%q is not an absolute path in its shortest form", rule.Path)
		}
	}
	for _, ns := range slices.Concat(p.Namespaces.Host, p.Namespaces.Join) {
		if at, names := place(n, ns, "namespaces"), namespaceTypes(); at != nil && !slices.Contains(names, ns) {
			r.fail(at, "namespaces", nearest(ns, names), "%q is not a namespace", ns)
		}
	}
	checkPrevent(r, n, p.Prevent)
	checkSeccomp(r, n, p.Seccomp)
}

func namespaceTypes() []string {
	return []string{"pid", "network", "mount", "ipc", "uts", "cgroup", "time"}
}

func knownCaps() []string {
	var names []string
	for _, c := range capability.ListKnown() {
		names = append(names, "CAP_"+strings.ToUpper(c.String()))
	}
	return names
}

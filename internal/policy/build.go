package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

// builtinPrefix is before the name of every profile that comes with hatchdog.
const builtinPrefix = "builtin/"

// draft is a profile as a file has it, before what it extends is known.
type draft struct {
	file string
	at   *yaml.Node
	body *yaml.Node
}

// builder puts the files together.
type builder struct {
	policy Policy
	set    map[string]string // top-level key -> where it was set
	drafts map[string]draft
	places map[string]*yaml.Node // where it was set -> the value
	errs   Errors
}

// Check parses one policy file and reports all of its errors as Errors.
func Check(name string, data []byte) error {
	if _, errs := build([]source{{name, data}}, true); len(errs) > 0 {
		return errs
	}
	return nil
}

// build puts the files together. all loads every built-in profile, otherwise
// only those that something refers to.
func build(sources []source, all bool) (*Policy, Errors) {
	b := newBuilder()
	for _, s := range sources {
		b.file(s, "")
	}
	for _, name := range slices.Sorted(maps.Keys(b.drafts)) {
		b.resolve(name, nil)
	}
	if all {
		for _, name := range profiles.Names() {
			b.resolve(builtinPrefix+name, nil)
		}
	}
	b.check()
	slices.SortFunc(b.errs, func(x, y Error) int {
		if x.File != y.File {
			return strings.Compare(x.File, y.File)
		}
		return x.Line - y.Line
	})
	return &b.policy, b.errs
}

func newBuilder() *builder {
	b := &builder{set: map[string]string{}, drafts: map[string]draft{}, places: map[string]*yaml.Node{}}
	b.policy = Policy{
		Mode: Enforce, Profile: builtinPrefix + "restricted", Unrecorded: UnrecordedRefuse,
		Audit:    Audit{OnFailure: FailRefuse, MaxSize: 16 << 20, Keep: 4},
		Profiles: map[string]*Profile{},
	}
	return b
}

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

// file reads the top level of one file. Profiles are kept for resolve.
func (b *builder) file(s source, prefix string) {
	r := &reader{file: s.name}
	defer func() { b.errs = append(b.errs, r.errs...) }()
	root, err := parse(s.data)
	if err != nil {
		line, what := syntax(err)
		r.errs = append(r.errs, Error{File: s.name, Line: line, Column: 1, Message: what})
		return
	}
	if root == nil {
		return
	}
	versioned := false
	r.pairs(root, "", func(k, v *yaml.Node) {
		switch k.Value {
		case "version":
			versioned = true
			if v.Value != "1" {
				r.fail(v, "version", "1", "%q is not a version that is known", v.Value)
			}
		case "profiles":
			b.profiles(r, v, prefix)
		default:
			b.top(r, k, v)
		}
	})
	if !versioned {
		r.fail(root, "version", "", "missing; write version: 1")
	}
}

// parse reads one YAML document into its root node; nil for an empty one.
func parse(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	return doc.Content[0], nil
}

func (b *builder) profiles(r *reader, n *yaml.Node, prefix string) {
	r.pairs(n, "profiles", func(k, v *yaml.Node) {
		name := prefix + k.Value
		if have, twice := b.drafts[name]; twice {
			r.fail(k, "profiles."+k.Value, "", "given twice, first at %s:%d", have.file, have.at.Line)
			return
		}
		if prefix == "" && strings.Contains(k.Value, "/") {
			r.fail(k, "profiles."+k.Value, "", "a name with / is for built-in profiles")
			return
		}
		b.drafts[name] = draft{r.file, k, v}
	})
}

// top reads a top-level key of the policy. Rules of several files are put one
// behind the other; any other key is set once.
func (b *builder) top(r *reader, k, v *yaml.Node) {
	pv := reflect.ValueOf(&b.policy).Elem()
	names := []string{"version", "profiles"}
	for i := range pv.NumField() {
		name, unit := fieldName(pv.Type().Field(i))
		if name == "" {
			continue
		}
		names = append(names, name)
		if name != k.Value {
			continue
		}
		if name == "rules" {
			b.rules(r, v)
			return
		}
		if at, twice := b.set[name]; twice {
			r.fail(k, name, "", "set twice, first at %s", at)
			return
		}
		b.set[name] = fmt.Sprintf("%s:%d", r.file, k.Line)
		b.places[b.set[name]] = v
		if name == "runtime" && v.Kind == yaml.ScalarNode {
			b.policy.Runtime.Path = v.Value // runtime: /usr/bin/crun
			return
		}
		r.value(v, name, unit, pv.Field(i))
		return
	}
	r.fail(k, k.Value, nearest(k.Value, names), "unknown key")
}

func (b *builder) rules(r *reader, n *yaml.Node) {
	own := b.inline(r, n)
	var rules []Rule
	r.list(n, "rules", reflect.ValueOf(&rules).Elem())
	for i := range rules {
		rules[i].Origin = fmt.Sprintf("%s:%d", r.file, n.Content[i].Line)
		b.places[rules[i].Origin] = member(n.Content[i], "profile")
		if own[i] != nil {
			base := rules[i].Profile
			rules[i].Profile = rules[i].Origin
			b.drafts[rules[i].Origin] = draft{r.file, n.Content[i], own[i]}
			own[i].Content = append(own[i].Content, scalarNode(n.Content[i], "extends"), scalarNode(n.Content[i], b.full(base)))
		}
	}
	b.policy.Rules = append(b.policy.Rules, rules...)
}

// inline takes the keys of a profile out of each rule: a rule may change the
// profile that it gives, for its workloads alone.
func (b *builder) inline(r *reader, n *yaml.Node) []*yaml.Node {
	own := make([]*yaml.Node, len(n.Content))
	var keys []string
	t := reflect.TypeFor[Profile]()
	for i := range t.NumField() {
		if name, _ := fieldName(t.Field(i)); name != "" {
			keys = append(keys, name)
		}
	}
	for i, rule := range n.Content {
		if rule.Kind != yaml.MappingNode {
			continue
		}
		body, rest := &yaml.Node{Kind: yaml.MappingNode, Line: rule.Line, Column: rule.Column}, []*yaml.Node{}
		for j := 0; j+1 < len(rule.Content); j += 2 {
			if slices.Contains(keys, rule.Content[j].Value) {
				body.Content = append(body.Content, rule.Content[j], rule.Content[j+1])
			} else {
				rest = append(rest, rule.Content[j], rule.Content[j+1])
			}
		}
		if len(body.Content) > 0 {
			rule.Content, own[i] = rest, body
		}
	}
	return own
}

func scalarNode(at *yaml.Node, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: at.Line, Column: at.Column}
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

// check looks at what only the whole can tell.
func (b *builder) check() {
	names := b.names()
	want := func(name, at, key string) {
		if b.resolve(name, nil) == nil {
			file, line, column := b.spot(at, name)
			b.errs = append(b.errs, Error{File: file, Line: line, Column: column, Key: key, Message: fmt.Sprintf("no profile %q", name), Suggestion: nearest(name, append(names, profiles.Names()...))})
		}
	}
	b.policy.Profile = b.full(b.policy.Profile)
	want(b.policy.Profile, b.set["profile"], "profile")
	for i := range b.policy.Rules {
		b.policy.Rules[i].Profile = b.full(b.policy.Rules[i].Profile)
		want(b.policy.Rules[i].Profile, b.policy.Rules[i].Origin, "rules.profile")
	}
	for i := range b.policy.Offers {
		b.policy.Offers[i] = b.full(b.policy.Offers[i])
		want(b.policy.Offers[i], b.set["offers"], "offers")
	}
	for i, a := range b.policy.Runtime.Accept {
		if a.Because == "" || a.Version == "" {
			b.errs = append(b.errs, Error{
				File: b.set["runtime"], Line: 1, Column: 1, Key: fmt.Sprintf("runtime.accept[%d]", i), Message: "version and because are wanted",
			})
		}
	}
	b.checkPaths()
}

func (b *builder) checkPaths() {
	for key, path := range map[string]string{"runtime.path": b.policy.Runtime.Path, "audit.path": b.policy.Audit.Path, "stateDir": b.policy.StateDir, "ids.dir": b.policy.IDs.Dir} {
		if path != "" && !filepath.IsAbs(path) {
			b.errs = append(b.errs, Error{File: b.set[strings.Split(key, ".")[0]], Line: 1, Column: 1, Key: key, Message: "not an absolute path"})
		}
	}
}

// spot is where name stands in what was set at at.
func (b *builder) spot(at, name string) (file string, line, column int) {
	file, line, column = at, 1, 1
	if i := strings.LastIndexByte(at, ':'); i >= 0 {
		file = at[:i]
		_, _ = fmt.Sscan(at[i+1:], &line)
	}
	if n := b.places[at]; n != nil {
		if found := scalar(n, name); found != nil {
			n = found
		}
		return file, n.Line, n.Column
	}
	return file, line, column
}

// full lets a rule name a built-in profile without its prefix, unless the
// administrator has one of that name.
func (b *builder) full(name string) string {
	if _, own := b.drafts[name]; !own && slices.Contains(profiles.Names(), name) {
		return builtinPrefix + name
	}
	return name
}

// names are all profiles that can be named.
func (b *builder) names() []string {
	names := slices.Collect(maps.Keys(b.drafts))
	for _, n := range profiles.Names() {
		names = append(names, builtinPrefix+n)
	}
	slices.Sort(names)
	return names
}

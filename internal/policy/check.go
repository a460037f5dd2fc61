package policy

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/profiles"
)

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
	b.checkTrust()
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

// checkTrust wants a reason where a rule may add by what others choose.
func (b *builder) checkTrust() {
	for _, rule := range b.policy.Rules {
		fail := func(key, message string) {
			file, line, column := b.spot(rule.Origin, "")
			b.errs = append(b.errs, Error{File: file, Line: line, Column: column, Key: key, Message: message})
		}
		if len(rule.Trust) > 0 && rule.Because == "" {
			fail("rules.because", "trust lets a rule add privileges by what whoever makes the container chooses: say why")
		}
		if d := rule.Match.ImageDigest; d != "" && !strings.HasPrefix(d, "sha256:") {
			fail("rules.match.imageDigest", fmt.Sprintf("%q does not begin with sha256:", d))
		}
		if rule.Match.Compose != nil && rule.Match.Compose["project"] == "" && rule.Match.Compose["service"] == "" {
			fail("rules.match.compose", "neither project nor service is given")
		}
	}
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

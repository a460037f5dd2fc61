package policy

import (
	"maps"
	"slices"
	"strings"

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
	_, err := CheckWeak(name, data)
	return err
}

// CheckWeak is Check, and lists what weakens a file that has no errors.
func CheckWeak(name string, data []byte) ([]Weak, error) {
	p, errs := build([]source{{name, data}}, true)
	if len(errs) > 0 {
		return nil, errs
	}
	return p.Weak(), nil
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
	b.policy.set = b.set
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

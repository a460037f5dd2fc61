package door

import (
	"os"
	"path"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// measured is Docker's spec on its way from Load to Check.
type measured struct {
	pol    *policy.Policy
	raw    []byte
	facts  host.Facts
	before *bundle.Document[specs.Spec]
	want   *specs.Spec
	after  *bundle.Document[specs.Spec]
}

func (j *measured) load(b *testing.B) {
	var err error
	if j.pol, err = policy.Load(func(string) string { return "" }); err != nil {
		b.Fatal(err)
	}
}

func (j *measured) decode(b *testing.B) {
	var err error
	if j.before, err = bundle.Decode[specs.Spec](j.raw); err != nil {
		b.Fatal(err)
	}
}

func (j *measured) controls(b *testing.B) {
	var err error
	if j.want, err = copySpec(j.raw); err != nil {
		b.Fatal(err)
	}
	who := workload.Identify(j.before.Value, path.Base(j.before.Value.Linux.CgroupsPath), "/run/bundle")
	res, err := j.pol.Resolve(who)
	if err != nil {
		b.Fatal(err)
	}
	result, err := plan.New(res.Profile.For(who.Own()), j.facts, plan.Options{}).Apply(j.want)
	if err != nil || len(result.Refusals) > 0 || len(result.Changes) == 0 {
		b.Fatal(result.Changes, result.Refusals, err)
	}
}

func (j *measured) edit(b *testing.B) {
	var err error
	if j.after, err = j.before.With(j.want); err != nil {
		b.Fatal(err)
	}
}

func (j *measured) check(b *testing.B) {
	if err := guard.Check(j.before.Raw, j.after.Raw, guard.Evidence{}); err != nil {
		b.Fatal(err)
	}
}

// The pure part of a create, warm: no process is started, nothing is asked of
// the host.
func BenchmarkLoadToCheck(b *testing.B) {
	raw, err := os.ReadFile("../../integration/testdata/specs/docker-default.json")
	if err != nil {
		b.Fatal(err)
	}
	j := &measured{raw: raw, facts: host.Facts{
		Cgroup:  host.Cgroup{Controllers: []string{"pids", "memory", "cpu"}},
		Hooks:   map[string]host.HookFile{"/proc/4242/exe": {Dockerd: true}},
		Sources: map[string]host.Source{},
	}}
	j.decode(b)
	for _, m := range j.before.Value.Mounts {
		j.facts.Sources[m.Source] = host.Source{Resolved: m.Source, Steady: true}
	}
	steps := []struct {
		name string
		do   func(*testing.B)
	}{{"Load", j.load}, {"Decode", j.decode}, {"controls", j.controls}, {"With", j.edit}, {"guard", j.check}}
	for _, s := range steps {
		s.do(b)
	}
	for _, s := range steps {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				s.do(b)
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			for _, s := range steps {
				s.do(b)
			}
		}
	})
}

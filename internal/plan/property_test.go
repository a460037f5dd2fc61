package plan

import (
	"flag"
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/guard"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// TestMain asks rapid for more than its usual 100 tries and for no files; its
// flags on the command line still count.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.checks": "150", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// tally counts how the requests of a test came out: one in which hardly any
// comes through proves little.
type tally struct{ passed, refused, unread int }

func (c *tally) count(o outcome) {
	switch {
	case o.err != nil:
		c.unread++
	case o.after == nil:
		c.refused++
	default:
		c.passed++
	}
}

func (c *tally) want(t *testing.T) {
	t.Helper()
	t.Logf("%+v", *c)
	if n := c.passed + c.refused + c.unread; n >= 100 && (c.passed < n/20 || c.refused+c.unread == 0) {
		t.Errorf("one-sided: %+v", *c)
	}
}

func TestAnySpec(t *testing.T) {
	docs, _ := captured(t)
	profiles := builtins(t)
	var c tally
	rapid.Check(t, func(t *rapid.T) {
		raw, odd := drawSpec(t, docs)
		p := drawProfile(t, profiles)
		restore := rapid.IntRange(0, 5).Draw(t, "restore") == 0
		o := runSpec(raw, p, restore)
		c.count(o)
		if wantProven(t, o, func(raw []byte) outcome { return runSpec(raw, p, restore) }, checkSpec, odd) {
			wantNotLooser(t, o.before, o.after)
		}
	})
	c.want(t)
}

func TestAnyProcess(t *testing.T) {
	docs, processes := captured(t)
	profiles := builtins(t)
	container, err := bundle.Decode[specs.Spec](docs["docker-default"])
	if err != nil {
		t.Fatal(err)
	}
	var c tally
	rapid.Check(t, func(t *rapid.T) {
		raw, p := drawProcess(t, processes), drawProfile(t, profiles)
		if rapid.Bool().Draw(t, "held") {
			p = p.HeldTo(container.Value)
		}
		o := runProcess(raw, p)
		c.count(o)
		if wantProven(t, o, func(raw []byte) outcome { return runProcess(raw, p) }, guard.CheckProcess, false) {
			wantNotLooser(t, inSpec(o.before, "process"), inSpec(o.after, "process"))
		}
	})
	c.want(t)
}

func TestAnyResources(t *testing.T) {
	profiles := builtins(t)
	var c tally
	rapid.Check(t, func(t *rapid.T) {
		raw, p := drawResources(t), drawProfile(t, profiles)
		o := runResources(raw, p)
		c.count(o)
		if wantProven(t, o, func(raw []byte) outcome { return runResources(raw, p) }, guard.CheckResources, false) {
			wantNotLooser(t, inSpec(o.before, "linux", "resources"), inSpec(o.after, "linux", "resources"))
		}
	})
	c.want(t)
}

// inSpec puts a document in its place in a spec.
func inSpec(raw []byte, path ...string) []byte {
	for i := len(path) - 1; i >= 0; i-- {
		raw = []byte(`{"` + path[i] + `":` + string(raw) + `}`)
	}
	return raw
}

// FuzzPipeline takes any bytes for any of the three documents. The smaller of
// the captured ones are enough to start from, and far faster.
func FuzzPipeline(f *testing.F) {
	docs, processes := captured(f)
	const small = 6 << 10
	for _, all := range []map[string][]byte{docs, processes} {
		for _, raw := range all {
			if len(raw) < small {
				f.Add(raw)
			}
		}
	}
	f.Add([]byte(`{"memory":{"limit":9007199254740993},"unified":{"cpu.max":"max 100000"}}`))
	profiles := []*policy.Profile{builtins(f)["builtin/restricted"], builtins(f)["builtin/untrusted"], nil}
	tighten := *profiles[0]
	tighten.OnExcess = map[string]policy.Excess{}
	for control := range profiles[0].OnExcess {
		tighten.OnExcess[control] = policy.Tighten
	}
	profiles[2] = &tighten
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := profiles[len(raw)%len(profiles)]
		if o := runSpec(raw, p, false); wantProven(t, o, func(raw []byte) outcome { return runSpec(raw, p, false) }, checkSpec, true) {
			wantNotLooser(t, o.before, o.after)
		}
		if o := runProcess(raw, p); wantProven(t, o, func(raw []byte) outcome { return runProcess(raw, p) }, guard.CheckProcess, true) {
			wantNotLooser(t, inSpec(o.before, "process"), inSpec(o.after, "process"))
		}
		if o := runResources(raw, p); wantProven(t, o, func(raw []byte) outcome { return runResources(raw, p) }, guard.CheckResources, true) {
			wantNotLooser(t, inSpec(o.before, "linux", "resources"), inSpec(o.after, "linux", "resources"))
		}
	})
}

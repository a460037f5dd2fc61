package caps

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"pgregory.net/rapid"

	"github.com/hatchdog/hatchdog/internal/policy"
)

func profile(nonRoot policy.NonRootCaps, max ...string) *policy.Profile {
	return &policy.Profile{Capabilities: policy.CapabilityRules{Max: max, NonRoot: nonRoot}}
}

func process(uid uint32, c *specs.LinuxCapabilities) *specs.Spec {
	return &specs.Spec{Process: &specs.Process{User: specs.User{UID: uid}, Capabilities: c}}
}

func all(names ...string) *specs.LinuxCapabilities {
	return &specs.LinuxCapabilities{
		Bounding: slices.Clone(names), Effective: slices.Clone(names), Permitted: slices.Clone(names),
	}
}

func TestApply(t *testing.T) {
	s := process(0, all("CAP_CHOWN", "CAP_NET_RAW"))
	changes, err := New(profile(policy.NonRootAmbient, "CAP_CHOWN", "CAP_KILL")).Apply(s)
	if err != nil || len(changes) != 3 {
		t.Fatalf("%v %v", changes, err)
	}
	if !slices.Equal(s.Process.Capabilities.Bounding, []string{"CAP_CHOWN"}) {
		t.Error(s.Process.Capabilities.Bounding)
	}
}

func TestNonRoot(t *testing.T) {
	c := all("CAP_CHOWN", "CAP_KILL")
	c.Ambient = []string{"CAP_KILL", "CAP_SYS_ADMIN"}
	s := process(1000, c)
	if _, err := New(profile(policy.NonRootAmbient, "CAP_CHOWN", "CAP_KILL")).Apply(s); err != nil {
		t.Fatal(err)
	}
	for _, set := range [][]string{c.Bounding, c.Effective, c.Permitted, c.Ambient} {
		if !slices.Equal(set, []string{"CAP_KILL"}) {
			t.Errorf("%+v", c)
		}
	}
	s = process(1000, all("CAP_CHOWN"))
	if _, err := New(profile(policy.NonRootKeep, "CAP_CHOWN")).Apply(s); err != nil || len(s.Process.Capabilities.Bounding) != 1 {
		t.Error("keep: a granted capability was taken away")
	}
}

// runc passes over a name that it does not know; a later one may know it.
func TestUnknownIsTakenAwayByName(t *testing.T) {
	for _, name := range []string{"CAP_MADE_UP", "CHOWN", "cap_chown", "", "CAP_X\n\x1b[2J", strings.Repeat("CAP_", 1000)} {
		s := process(0, all("CAP_CHOWN", name))
		changes, err := New(profile(policy.NonRootKeep, "CAP_CHOWN")).Apply(s)
		if err != nil || len(changes) != 3 || !slices.Equal(s.Process.Capabilities.Bounding, []string{"CAP_CHOWN"}) {
			t.Fatalf("%q: %v %v", name, changes, err)
		}
		want := "not a capability that is known: " + strconv.Quote(name[:min(len(name), 30)])
		if got := changes[0].Reason; len(name) <= 30 && got != want || len(got) > 300 || !strings.HasPrefix(got, want[:len(want)-1]) {
			t.Errorf("%q: %q", name, got)
		}
	}
	changes, err := New(profile(policy.NonRootKeep)).Apply(process(0, all("CAP_CHOWN", "CAP_MADE_UP")))
	if want := `the profile does not grant it: CAP_CHOWN; not a capability that is known: "CAP_MADE_UP"`; err != nil || changes[0].Reason != want {
		t.Errorf("%v %v", changes, err)
	}
}

func TestNoneNamedMeansNone(t *testing.T) {
	s := process(0, nil)
	changes, err := New(profile(policy.NonRootKeep, "CAP_CHOWN")).Apply(s)
	if err != nil || len(changes) != 1 || s.Process.Capabilities == nil {
		t.Errorf("%v %v", changes, err)
	}
}

func TestNeverLooserAndIdempotent(t *testing.T) {
	var names []string
	for _, c := range capability.ListKnown() {
		names = append(names, "CAP_"+upper(c.String()))
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) []string { return rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, label) }
		before := specs.LinuxCapabilities{Bounding: draw("b"), Effective: draw("e"), Permitted: draw("p"), Inheritable: draw("i"), Ambient: draw("a")}
		after := before
		s := process(rapid.SampledFrom([]uint32{0, 1000}).Draw(t, "uid"), &after)
		c := New(profile(rapid.SampledFrom([]policy.NonRootCaps{policy.NonRootAmbient, policy.NonRootKeep}).Draw(t, "nr"), draw("max")...))
		if _, err := c.Apply(s); err != nil {
			t.Fatal(err)
		}
		b, a := sets(&before), sets(&after)
		for i := range b {
			for _, name := range *a[i].names {
				if !slices.Contains(*b[i].names, name) {
					t.Fatalf("%s was added to %s", name, b[i].field)
				}
			}
		}
		if again, err := c.Apply(s); err != nil || len(again) != 0 {
			t.Fatalf("not idempotent: %v %v", again, err)
		}
	})
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

package plan

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/opencontainers/runc/libcontainer/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What the plan leaves of each captured request is a spec that runc's own
// library takes.
func TestRuncTakesWhatIsLeft(t *testing.T) {
	docs, _ := captured(t)
	taken := 0
	for name, raw := range docs {
		for profile, p := range builtins(t) {
			o := runSpec(raw, p, false)
			if o.err != nil || len(o.result.Refusals) > 0 {
				continue
			}
			var s specs.Spec
			if err := json.Unmarshal(o.after, &s); err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace && n.Path != "" }) {
				continue // it would be entered, and is not there
			}
			s.Root.Path = t.TempDir()
			_, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{CgroupName: "c1", Spec: &s})
			if err != nil {
				t.Errorf("%s under %s: %v", name, profile, err)
			}
			taken++
		}
	}
	if taken < 50 {
		t.Errorf("%d specs: this proves little", taken)
	}
}

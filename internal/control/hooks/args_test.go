package hooks

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Any argument is still no other name.
func TestAnyArgument(t *testing.T) {
	for _, c := range []struct {
		args, listed, want []string
	}{
		{[]string{"hook", "update", "--folder=/x"}, []string{"*"}, nil},
		{[]string{"sh", "-c", "x"}, []string{"*"}, []string{"sh"}},
		{[]string{"sh", "-c", "x"}, []string{"*", "sh"}, nil},
		{[]string{"hook", "update", "--folder=/x"}, []string{"update"}, []string{"--folder=/x"}},
		{[]string{"hook"}, nil, nil},
	} {
		control := hooks{profile: &policy.Profile{Hooks: policy.HookRules{Args: c.listed}}}
		got := control.unlisted(specs.Hook{Path: "/opt/hook", Args: c.args}, host.HookFile{Resolved: "/opt/hook"})
		if !slices.Equal(got, c.want) {
			t.Errorf("%q under %q: %q", c.args, c.listed, got)
		}
	}
}

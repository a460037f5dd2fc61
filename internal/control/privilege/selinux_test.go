package privilege

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// A request does not choose a label that confines it less, reaches what other
// containers have, or is more than a label to the low-level runtime, which writes
// it into the options of a mount.
func TestSelinuxLabels(t *testing.T) {
	const own, file = "system_u:system_r:container_t:s0:c1,c1023", "system_u:object_r:container_file_t:s0:c1,c1023"
	for name, c := range map[string]struct{ process, mount, want string }{
		"no SELinux":                  {"", "", ""},
		"the engine's":                {own, file, ""},
		"no level":                    {"system_u:system_r:container_t", "", ""},
		"no category":                 {"system_u:system_r:container_init_t:s0", "", ""},
		"a trusted container":         {"system_u:system_r:spc_t:s0", file, "spc_t is not known"},
		"a service of the host":       {"system_u:system_r:init_t:s0:c1", file, "init_t is not known"},
		"an unconfined user":          {"unconfined_u:unconfined_r:unconfined_t:s0", "", "unconfined_t is not known"},
		"label=disable":               {"", file, "took the label of the process away"},
		"all categories":              {"system_u:system_r:container_t:s0-s0:c0.c1023", file, "level"},
		"a range of categories":       {"system_u:system_r:container_t:s0:c0.c1023", file, "two categories"},
		"many categories":             {"system_u:system_r:container_t:s0:c1,c2,c3", file, "two categories"},
		"another sensitivity":         {"system_u:system_r:container_t:s15:c1", file, "not s0"},
		"no category of that number":  {"system_u:system_r:container_t:s0:c1024", file, "two categories"},
		"files that all may read":     {own, "system_u:object_r:container_file_t:s0:c0.c1023", "two categories"},
		"options of a mount":          {own, `system_u:object_r:container_file_t",size=1,x=":s0`, "no label"},
		"options of a mount, a level": {own, `system_u:object_r:container_file_t:s0:c1",size="1`, "two categories"},
		"a line":                      {"system_u:system_r:container_t\n:s0", "", "no label"},
		"words":                       {"unconfined", "", "no label"},
	} {
		p := &policy.Profile{Privilege: policy.PrivilegeRules{SelinuxTypes: []string{"container_t", "container_init_t"}}}
		s := &specs.Spec{Process: &specs.Process{SelinuxLabel: c.process}, Linux: &specs.Linux{MountLabel: c.mount}}
		_, err := New(p, nil).Apply(s)
		refusals, other := control.Refusals(err)
		got := ""
		if len(refusals) > 0 {
			got = refusals[0].Reason
		}
		if other != nil || (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, %v, want %q", name, got, other, c.want)
		}
		if _, err := Further(p, nil).Apply(s); err != nil {
			t.Errorf("%s: a further process: %v", name, err)
		}
	}
}

func TestSelinuxTypeThatAdmitsNone(t *testing.T) {
	p := &policy.Profile{Privilege: policy.PrivilegeRules{SelinuxTypes: []string{"spc_t"}}}
	for _, label := range []string{"", "system_u:system_r:spc_t:s0"} {
		s := &specs.Spec{Process: &specs.Process{SelinuxLabel: label}, Linux: &specs.Linux{MountLabel: "system_u:object_r:container_file_t:s0"}}
		if _, err := New(p, nil).Apply(s); err != nil {
			t.Errorf("%q: %v", label, err)
		}
	}
}

package plan

import (
	"encoding/json"
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// The SELinux labels that an engine set stay, whatever else happens, and none
// comes where there was none.
func TestSELinuxLabelsStay(t *testing.T) {
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../integration/testdata/specs/docker-default.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{"", "system_u:system_r:container_t:s0:c1,c2"} {
		for name, profile := range pol.Profiles {
			for _, lsm := range []host.Apparmor{{}, {Enabled: true}, {Enabled: true, Err: "x"}} {
				var s specs.Spec
				if err := json.Unmarshal(raw, &s); err != nil {
					t.Fatal(err)
				}
				s.Process.SelinuxLabel, s.Linux.MountLabel = label, label
				if _, err := New(profile, host.Facts{Apparmor: lsm}, Options{}).Apply(&s); err != nil {
					t.Fatal(err)
				}
				if s.Process.SelinuxLabel != label || s.Linux.MountLabel != label {
					t.Errorf("%s: %q became %q and %q", name, label, s.Process.SelinuxLabel, s.Linux.MountLabel)
				}
				p := *s.Process
				if _, err := Exec(profile, nil).Apply(&specs.Spec{Process: &p}); err != nil || p.SelinuxLabel != label {
					t.Errorf("%s, exec: %q %v", name, p.SelinuxLabel, err)
				}
			}
		}
	}
}

// The profile of the built-in policy reaches the spec where the host has
// AppArmor, and nowhere else.
func TestApparmorProfileOfRealSpecs(t *testing.T) {
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("../../integration/testdata/specs/docker-default.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"baseline", "restricted", "untrusted"} {
		for _, enabled := range []bool{true, false} {
			var s specs.Spec
			if err := json.Unmarshal(raw, &s); err != nil {
				t.Fatal(err)
			}
			s.Process.ApparmorProfile = "docker-default"
			res, err := New(pol.Profiles["builtin/"+name], host.Facts{Apparmor: host.Apparmor{Enabled: enabled}}, Options{}).Apply(&s)
			if err != nil {
				t.Fatal(err)
			}
			want := map[bool]string{true: "hatchdog-" + name, false: "docker-default"}[enabled]
			if s.Process.ApparmorProfile != want {
				t.Errorf("%s, %v: %s", name, enabled, s.Process.ApparmorProfile)
			}
			if !enabled && len(res.Notes) == 0 {
				t.Errorf("%s: nothing says that the host has no AppArmor", name)
			}
		}
	}
}

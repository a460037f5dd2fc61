package sysctls

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

func profile(e policy.Excess) *policy.Profile {
	return &policy.Profile{
		OnExcess: map[string]policy.Excess{policy.Sysctls: e},
		Sysctls:  policy.SysctlRules{Allow: []string{"net.core.somaxconn", "fs.mqueue.*", "kernel.core_pattern", "net.ipv6.conf.*"}},
	}
}

// A profile may admit the host's network; its settings stay the host's.
func TestJoinedHost(t *testing.T) {
	f := host.Facts{
		HostNamespaces: map[string][]host.FileID{"network": {{Ino: 1}}},
		Joined:         map[string]host.JoinedNamespace{"/host": {ID: host.FileID{Ino: 1}}, "/pod": {ID: host.FileID{Ino: 2}}},
	}
	for path, refused := range map[string]bool{"/host": true, "/pod": false, "": false} {
		s := &specs.Spec{Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace, Path: path}}, Sysctl: map[string]string{"net.core.somaxconn": "1"},
		}}
		if _, err := New(profile(policy.Refuse), f).Apply(s); (err != nil) != refused {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestApply(t *testing.T) {
	for key, want := range map[string]string{
		"net.core.somaxconn":                "",
		"net/core/somaxconn":                "",
		"fs.mqueue.msg_max":                 "no ipc namespace",
		"net.ipv4.ip_forward":               "does not list",
		"kernel.core_pattern":               "whole host",
		"kernel/core_pattern":               "whole host",
		"net.ipv6.conf.all.disable_ipv6":    "",
		"net/ipv6/conf/eth0.1/disable_ipv6": "",
		"vm.overcommit_memory":              "whole host",
		"":                                  "whole host",
	} {
		s := &specs.Spec{Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{{Type: specs.NetworkNamespace}}, Sysctl: map[string]string{key: "1"},
		}}
		_, err := New(profile(policy.Refuse), host.Facts{}).Apply(s)
		refusals, _ := control.Refusals(err)
		if (want == "") != (len(refusals) == 0) || want != "" && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", key, err, want)
		}
		changes, err := New(profile(policy.Tighten), host.Facts{}).Apply(s)
		if err != nil || (want == "") != (len(changes) == 0) || len(s.Linux.Sysctl)+len(changes) != 1 {
			t.Errorf("%q, tightened: %v %v", key, changes, err)
		}
	}
}

package door

import (
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
)

// remediesOfControls are those of AppArmor, capabilities, network, resources,
// sysctls and what is taken away.
func remediesOfControls() []remedy {
	apparmor := func(f func(*host.Apparmor)) func(*asking) { return func(r *asking) { f(&r.facts.Apparmor) } }
	label := func(name string) func(*asking) {
		return func(r *asking) { r.facts.Apparmor.Enabled, r.spec.Process.ApparmorProfile = true, name }
	}
	selinux := func(process, mount string) func(*asking) {
		return func(r *asking) { r.spec.Process.SelinuxLabel, r.spec.Linux.MountLabel = process, mount }
	}
	sysctl := func(key string) func(*asking) {
		return func(r *asking) { r.spec.Linux.Sysctl = map[string]string{key: "1"} }
	}
	noSysctl := func(r *asking) { r.spec.Linux.Sysctl = nil }
	unified := func(key, value string) func(*asking) {
		return func(r *asking) { r.spec.Linux.Resources.Unified = map[string]string{key: value} }
	}
	noUnified := func(r *asking) { r.spec.Linux.Resources.Unified = nil }
	capable := func(names ...string) func(*asking) {
		return func(r *asking) {
			r.spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: names, Permitted: names}
		}
	}
	one, none := int64(1<<20), int64(0)
	supervised := func(metadata string) func(*asking) {
		return func(r *asking) {
			r.spec.Linux.Seccomp = &specs.LinuxSeccomp{
				DefaultAction: specs.ActErrno, ListenerPath: "/run/a socket", ListenerMetadata: metadata,
				Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}},
			}
		}
	}
	return []remedy{
		{site: "control/apparmor:Apply#1", ask: label("a//&b"), follow: label("hatchdog-restricted"), ungranted: true},
		{site: "control/apparmor:Apply#2", profile: ", apparmor: {profile: own, require: ifAvailable, onMissing: refuse}", ask: label("own"), follow: apparmor(func(a *host.Apparmor) {
			a.Modes = map[string]string{"own": "enforce"}
		})},
		{site: "control/apparmor:choose#2", ask: func(r *asking) {
			label("custom")(r)
			r.facts.Apparmor.Modes = map[string]string{"custom": "enforce"}
		}, follow: label("")},
		{site: "control/apparmor:absent#1", profile: ", apparmor: {require: always}", ask: func(*asking) {}, follow: apparmor(func(a *host.Apparmor) {
			a.Enabled = true
		})},
		{site: "control/apparmor:absent#2", ask: apparmor(func(a *host.Apparmor) { a.Err = "no securityfs" }), follow: apparmor(func(a *host.Apparmor) { a.Err = "" })},
		{site: "control/apparmor:absent#2", name: "always", profile: ", apparmor: {require: always}", ask: apparmor(func(a *host.Apparmor) { a.Err = "no securityfs" }), follow: apparmor(func(a *host.Apparmor) {
			a.Err, a.Enabled = "", true
		})},
		{site: "control/privilege:cwd#1", ask: func(r *asking) { r.spec.Process.Cwd = "/proc/self/fd/7" }, follow: func(r *asking) { r.spec.Process.Cwd = "/srv" }, ungranted: true},
		{site: "control/privilege:labels#1", ask: selinux("system_u:system_r:container_t:s0-s0:c0.c1023", ""), follow: selinux("", ""), ungranted: true},
		{site: "control/privilege:labels#2", ask: selinux("system_u:system_r:custom_t:s0:c1,c2", ""), follow: selinux("", "")},
		{site: "control/privilege:labels#3", ask: selinux("", "system_u:object_r:container_file_t:s0:c1,c2"), follow: selinux("system_u:system_r:container_t:s0:c1,c2", "system_u:object_r:container_file_t:s0:c1,c2")},
		{site: "control/apparmor:Further#1", ask: func(r *asking) { r.labels[0] = "custom" }, follow: func(r *asking) { r.labels = [2]string{"", "u:r:container_t:s0:c1"} }, ungranted: true},

		{site: "control/seccomp:listener#1", ask: supervised(""), follow: func(r *asking) { r.spec.Linux.Seccomp = nil }},
		{site: "control/seccomp:listener#1", name: "with text", ask: supervised("text"), follow: func(r *asking) { r.spec.Linux.Seccomp = nil }},
		{site: "control/seccomp:listener#2", profile: ", seccomp: {listeners: [/run/a socket]}", ask: supervised(strings.Repeat("x", 5000)), follow: supervised("text"), ungranted: true},

		{site: "control/egress:Apply#1", profile: ", namespaces: {host: [network]}", ask: func(r *asking) { r.namespace("network", nil) }, follow: func(r *asking) {
			r.namespace("network", new(string))
		}},
		{site: "control/egress:Apply#1", name: "all kinds of rules", profile: ", namespaces: {host: [network]}, ingress: {default: deny}, rate: {egress: 1Mbit}", ask: func(r *asking) {
			r.namespace("network", nil)
		}, follow: func(r *asking) { r.namespace("network", new(string)) }},
		{site: "control/egress:hook#1", ask: func(r *asking) {
			r.facts.Own, r.line = host.Own{}, "run --bundle /b c1"
		}, follow: func(r *asking) { r.facts.Own.Path = "/usr/local/bin/hatchdog" }, ungranted: true},
		{site: "control/egress:capabilities#1", profile: ", capabilities: {max: [NET_ADMIN, NET_RAW]}", ask: func(r *asking) {
			capable("CAP_NET_ADMIN", "CAP_NET_RAW")(r)
			r.joins("network", host.JoinedNamespace{ID: host.FileID{Dev: 4, Ino: 100}, Owner: host.UserNSOwner{Host: true}})
		}, follow: capable()},

		{site: "control/prevent:Apply#1", profile: ", prevent: {deny: [bpf], require: always}", ask: func(r *asking) {
			r.facts.Guard = "the kernel's guard is not loaded"
		}, follow: func(r *asking) { r.facts.Guard = "" }},
		{site: "control/prevent:Apply#1", name: "at once", profile: ", prevent: {deny: [bpf], require: always}", ask: func(r *asking) {
			r.line = "run --bundle /b c1"
		}, follow: func(r *asking) { r.line = "create --bundle /b c1" }},
		{site: "control/prevent:Apply#1", name: "the host's pids", profile: ", prevent: {deny: [bpf], require: always}, namespaces: {host: [pid]}", ask: func(r *asking) {
			r.namespace("pid", nil)
		}, follow: func(r *asking) { r.namespace("pid", new(string)) }},

		{site: "control/resources:missing#1", from: "untrusted", ask: func(r *asking) { r.facts.Cgroup.Controllers = nil }, follow: func(r *asking) {
			r.facts.Cgroup.Controllers = []string{"pids", "memory", "cpu"}
		}},
		{site: "control/resources:swap#1", ask: func(r *asking) { r.update = &specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: &one}} }, follow: func(r *asking) {
			r.update.Memory.Limit = &one
		}, ungranted: true},
		{site: "control/resources:cpu#1", from: "untrusted", ask: func(r *asking) {
			r.update = &specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: &one, Period: new(uint64)}}
		}, follow: func(r *asking) {
			period := uint64(100000)
			r.update.CPU.Period = &period
		}, ungranted: true},
		{site: "control/resources:unified#1", ask: unified("cgroup.procs", "1"), follow: noUnified, ungranted: true},
		{site: "control/resources:unified#2", ask: unified("pids.max", "many"), follow: unified("pids.max", "max"), ungranted: true},

		{site: "control/sysctls:Apply#1", name: "not listed", ask: sysctl("net.ipv4.tcp_sack"), follow: noSysctl},
		{site: "control/sysctls:Apply#1", name: "with slashes", ask: sysctl("net/ipv4/conf/eth0.1/arp_ignore"), follow: noSysctl},
		{site: "control/sysctls:Apply#1", name: "the host's", ask: sysctl("kernel.core_pattern"), follow: noSysctl, ungranted: true},
		{site: "control/sysctls:Apply#1", name: "shared", profile: ", namespaces: {host: [ipc]}", ask: func(r *asking) {
			sysctl("kernel.shmmax")(r)
			r.namespace("ipc", nil)
		}, follow: noSysctl, ungranted: true},

		{site: "control/userns:Apply#1", from: "untrusted", ask: func(r *asking) { r.facts.UserNS.Kernel = host.Support{} }, follow: func(r *asking) {
			r.facts.UserNS.Kernel.OK = true
		}},

		{site: "plan:excess#1", name: "a capability", profile: ", onExcess: {capabilities: refuse}", ask: capable("CAP_SYS_PTRACE"), follow: capable()},
		{site: "plan:excess#1", name: "a limit", profile: ", onExcess: {resources: refuse}", ask: func(r *asking) {
			many := int64(1 << 20)
			r.spec.Linux.Resources.Pids = &specs.LinuxPids{Limit: &many}
		}, follow: func(r *asking) { *r.spec.Linux.Resources.Pids.Limit = 10 }},
		{site: "plan:excess#1", name: "privilege", profile: ", onExcess: {privilege: refuse}", ask: func(r *asking) { score := -999; r.spec.Process.OOMScoreAdj = &score }, follow: func(r *asking) {
			*r.spec.Process.OOMScoreAdj = 0
		}},
		{site: "plan:excess#1", name: "an annotation", profile: ", onExcess: {annotations: refuse}", ask: func(r *asking) { r.spec.Annotations = map[string]string{"bundle": "/x"} }, follow: func(r *asking) {
			r.spec.Annotations = nil
		}},
		{site: "plan:excess#1", name: "device rules", ask: func(r *asking) {
			major, any := int64(189), int64(-1)
			r.spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Type: "c", Major: &major, Minor: &any, Access: "rmw"}, {Allow: true, Type: "b", Access: "r"}}
		}, follow: func(r *asking) { r.spec.Linux.Resources.Devices = nil }},
		{site: "plan:excess#1", name: "all devices", ask: func(r *asking) {
			r.spec.Linux.Resources.Devices = []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true, Major: &none, Access: "r"}}
		}, follow: func(r *asking) { r.spec.Linux.Resources.Devices = nil }},
	}
}

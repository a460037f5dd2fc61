package door

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
)

// remediesOfHostAccess are those of devices, hooks, namespaces and user
// namespaces.
func remediesOfHostAccess() []remedy {
	other, hosts := host.FileID{Dev: 4, Ino: 100}, func(t int) host.FileID { return host.FileID{Dev: 4, Ino: uint64(t)} }
	node := func(all ...specs.LinuxDevice) func(*asking) {
		return func(r *asking) { r.spec.Linux.Devices = all }
	}
	kvm := specs.LinuxDevice{Path: "/dev/kvm", Type: "c", Major: 10, Minor: 232}
	many := make([]specs.LinuxDevice, 40)
	for i := range many {
		many[i] = specs.LinuxDevice{Path: "/dev/x" + string(rune('A'+i)), Type: []string{"c", "b"}[i%2], Major: 8, Minor: int64(i)}
	}
	hook := func(file host.HookFile) func(*asking) {
		return func(r *asking) {
			r.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{{Path: "/opt/a hook"}}}
			r.facts.Hooks["/opt/a hook"] = file
		}
	}
	hookWith := func(h specs.Hook) func(*asking) {
		return func(r *asking) {
			r.spec.Hooks = &specs.Hooks{Poststop: []specs.Hook{h}}
			r.facts.Hooks[h.Path] = host.HookFile{Resolved: "/opt/real", RootOnly: true, Linked: h.Path != "/opt/real"}
		}
	}
	noHook := func(r *asking) { r.spec.Hooks = nil }
	mapped := func(id uint32) func(*asking) {
		return func(r *asking) {
			r.namespace("user", new(string))
			r.spec.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: id, Size: 65536}}
			r.spec.Linux.GIDMappings = r.spec.Linux.UIDMappings
		}
	}
	var all []remedy
	for i, t := range []specs.LinuxNamespaceType{"pid", "network", "mount", "ipc", "uts"} {
		own := func(r *asking) { r.namespace(t, new(string)) }
		for _, from := range []string{"baseline", "restricted", "untrusted"} {
			all = append(all,
				remedy{site: "control/namespaces:shared#1", name: from + " " + string(t), from: from, ask: func(r *asking) { r.namespace(t, nil) }, follow: own},
				remedy{site: "control/namespaces:given#2", name: from + " " + string(t), from: from, ask: func(r *asking) {
					r.joins(t, host.JoinedNamespace{ID: hosts(i + 1), Owner: host.UserNSOwner{Host: true}})
				}, follow: own})
		}
	}
	return append(all, []remedy{
		{site: "control/namespaces:given#1", ask: func(r *asking) { r.joins("ipc", host.JoinedNamespace{Err: "no such file"}) }, follow: func(r *asking) {
			r.joins("ipc", host.JoinedNamespace{ID: other, Owner: host.UserNSOwner{Host: true}})
		}, ungranted: true},
		{site: "control/namespaces:given#3", profile: ", namespaces: {join: []}", ask: func(r *asking) {
			r.joins("ipc", host.JoinedNamespace{ID: other, Owner: host.UserNSOwner{Host: true}})
		}, follow: func(r *asking) { r.namespace("ipc", new(string)) }},
		{site: "control/namespaces:others#1", ask: func(r *asking) { r.spec.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}} }, follow: func(r *asking) {
			r.spec.Linux.NetDevices = nil
		}, ungranted: true},
		{site: "control/namespaces:others#2", ask: func(r *asking) { r.spec.Linux.CgroupsPath = "/../x" }, follow: func(r *asking) { r.spec.Linux.CgroupsPath = "/docker/x" }, ungranted: true},

		{site: "control/devices:refusal#1", ask: node(specs.LinuxDevice{Path: "/dev/p", Type: "p"}), follow: node(), ungranted: true},
		{site: "control/devices:refusal#2", ask: func(r *asking) { node(kvm)(r); mapped(3 << 16)(r) }, follow: func(r *asking) {
			r.spec.Linux.Devices = nil
		}, ungranted: true},
		{site: "control/devices:refusal#3", ask: node(kvm, specs.LinuxDevice{Path: "/dev/sda", Type: "b", Major: 8}), follow: node()},
		{site: "control/devices:refusal#3", name: "privileged", ask: node(many...), follow: node()},

		{site: "control/hooks:stage#1", name: "not listed", ask: hook(host.HookFile{Resolved: "/opt/a hook", RootOnly: true}), follow: noHook},
		{site: "control/hooks:stage#1", name: "arguments", profile: ", hooks: {allow: [/opt/real]}", ask: hookWith(specs.Hook{Path: "/opt/real", Args: []string{"sh", "-c", "x, {y}"}}), follow: hookWith(specs.Hook{Path: "/opt/real"})},
		{site: "control/hooks:stage#1", name: "not listed, with arguments", ask: hookWith(specs.Hook{Path: "/opt/real", Args: []string{"sh"}}), follow: noHook},
		{site: "control/hooks:stage#1", name: "no time", profile: ", hooks: {allow: [/opt/real]}", ask: hookWith(specs.Hook{Path: "/opt/real", Timeout: new(0)}), follow: hookWith(specs.Hook{Path: "/opt/real", Timeout: new(1)}), ungranted: true},
		{site: "control/hooks:stage#1", name: "of a process", profile: ", hooks: {allow: [/opt/real]}", ask: hookWith(specs.Hook{Path: "/proc/9/exe"}), follow: hookWith(specs.Hook{Path: "/opt/real"}), ungranted: true},
		{site: "control/hooks:stage#1", name: "a link", ask: hook(host.HookFile{Resolved: "/opt/real", RootOnly: true}), follow: noHook},
		{site: "control/hooks:stage#1", name: "not there", ask: hook(host.HookFile{Err: "no such file"}), follow: noHook, ungranted: true},
		{site: "control/hooks:stage#1", name: "others can change it", profile: ", hooks: {allow: [/opt/real]}", ask: hook(host.HookFile{Resolved: "/opt/real"}), follow: hook(host.HookFile{Resolved: "/opt/real", RootOnly: true}), ungranted: true},

		{site: "control/userns:keep#1", ask: mapped(0), follow: mapped(3 << 16), ungranted: true},
		{site: "control/userns:keep#1", name: "another container's", ask: func(r *asking) {
			mapped(5 << 16)(r)
			r.facts.UserNS.Owners.Others = []host.IDRange{{Base: 5 << 16, Size: 1 << 16}}
		}, follow: func(r *asking) {
			r.facts.UserNS.Owners.EngineUIDs = []host.IDRange{{Base: 5 << 16, Size: 1 << 16}}
			r.facts.UserNS.Owners.EngineGIDs = r.facts.UserNS.Owners.EngineUIDs
		}, ungranted: true},
		{site: "control/userns:keep#2", ask: func(r *asking) {
			mapped(3 << 16)(r)
			r.spec.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 100, Size: 1}}
		}, follow: mapped(3 << 16), ungranted: true},
		{site: "control/userns:joins#1", ask: func(r *asking) { r.namespace("user", new(string)) }, follow: mapped(3 << 16), ungranted: true},
		{site: "control/userns:joins#2", ask: func(r *asking) { r.joins("user", host.JoinedNamespace{ID: other}) }, follow: func(r *asking) {
			r.joins("user", host.JoinedNamespace{ID: other, NoHostRoot: true})
		}, ungranted: true},
		{site: "control/userns:absent#1", profile: ", userns: {size: {max: 65536}}", ask: func(r *asking) { r.spec.Process.User.UID = 70000 }, follow: func(r *asking) {
			r.spec.Process.User.UID = 1000
		}},
		{site: "control/userns:absent#1", name: "in the user namespace of another", ask: func(r *asking) {
			r.joins("ipc", host.JoinedNamespace{ID: other, Owner: host.UserNSOwner{Path: "/proc/99/ns/user", Range: host.IDRange{Base: 1879113728, Size: 65536}}})
			r.facts.Joined["/proc/99/ns/user"] = host.JoinedNamespace{ID: other, Type: "user", NoHostRoot: true}
			r.spec.Process.User.GID = 70000
		}, follow: func(r *asking) { r.spec.Process.User.GID = 1000 }},
		{site: "control/userns:absent#2", profile: ", userns: {size: {max: 65536}}", ask: func(r *asking) {
			r.spec.Mounts = []specs.Mount{{Destination: "/v", Type: "bind", Source: "/srv/v", Options: []string{"rbind"}}}
			r.facts.Sources["/srv/v"] = host.Source{Resolved: "/srv/v", Dir: true, Owners: []uint32{1234567}, Idmap: host.Support{OK: true}}
		}, follow: func(r *asking) {
			src := r.facts.Sources["/srv/v"]
			src.Owners = nil
			r.facts.Sources["/srv/v"] = src
		}},
		{site: "control/userns:mounted#1", ask: func(r *asking) {
			r.facts.UserNS.Kernel = host.Support{Why: "none"}
			r.spec.Mounts = append(r.spec.Mounts, specs.Mount{
				Destination: "/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev"}, UIDMappings: []specs.LinuxIDMapping{{Size: 1}},
			})
		}, follow: func(r *asking) { r.spec.Mounts[len(r.spec.Mounts)-1].UIDMappings = nil }, ungranted: true},
	}...)
}

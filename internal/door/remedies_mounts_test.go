package door

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
)

// remediesOfMounts are those of mounts and of the root file system.
func remediesOfMounts() []remedy {
	bind := func(src host.Source, options ...string) func(*asking) {
		return func(r *asking) {
			r.spec.Mounts = []specs.Mount{{Destination: "/m", Type: "bind", Source: "/asked", Options: append(options, "rbind")}}
			r.facts.Sources["/asked"] = src
		}
	}
	takes := host.Support{OK: true}
	own := bind(host.Source{Resolved: "/srv/data", Dir: true, Idmap: takes})
	mount := func(m specs.Mount) func(*asking) {
		return func(r *asking) { r.spec.Mounts = []specs.Mount{m} }
	}
	none := func(r *asking) { r.spec.Mounts = nil }
	root := func(root host.Root) func(*asking) { return func(r *asking) { r.facts.Root = &root } }
	inBundle := root(host.Root{Source: host.Source{Resolved: "/b/rootfs", Dir: true}, InBundle: true})
	return []remedy{
		{site: "control/mounts:bind#1", ask: bind(host.Source{Err: "no such file"}), follow: own, ungranted: true},
		{site: "control/mounts:bind#2", name: "written", ask: bind(host.Source{Resolved: "/etc/my app", Dir: true, Idmap: takes}), follow: own},
		{site: "control/mounts:bind#2", name: "read", ask: bind(host.Source{Resolved: "/etc/app", Dir: true, Idmap: takes}, "ro"), follow: own},
		{site: "control/mounts:bind#2", name: "by several names", ask: bind(host.Source{Resolved: "/srv/x", Aliases: []string{"/etc/x", "/root/x"}, Dir: true, Idmap: takes}), follow: own},
		{site: "control/mounts:bind#3", ask: bind(host.Source{Resolved: "/srv/app.sock", Socket: true, Idmap: takes}), follow: own},
		{site: "control/mounts:bind#3", name: "a FIFO", ask: bind(host.Source{Resolved: "/srv/app.fifo", Fifo: true, Idmap: takes}), follow: own},
		{site: "control/mounts:bind#2", name: "with what is protected in it", ask: bind(host.Source{Resolved: "/var/log", Dir: true, Idmap: takes}, "ro"), follow: own},
		{site: "control/mounts:bind#2", name: "the whole host", ask: bind(host.Source{Resolved: "/", Dir: true, Idmap: takes}, "ro"), follow: own},
		{site: "control/mounts:bind#2", name: "with what is protected in it by another name", ask: bind(host.Source{Resolved: "/srv/x", Contains: []string{"/etc"}, Dir: true, Idmap: takes}), follow: own},
		{site: "control/mounts:spread#1", ask: bind(host.Source{Resolved: "/srv/data", Dir: true, Idmap: takes}, "rshared"), follow: bind(host.Source{Resolved: "/srv/data", Dir: true, Idmap: takes}, "rslave"), ungranted: true},
		{site: "control/mounts:propagation#1", ask: func(r *asking) { r.spec.Linux.RootfsPropagation = "shared" }, follow: func(r *asking) { r.spec.Linux.RootfsPropagation = "rslave" }, ungranted: true},
		{site: "control/mounts:bind#4", ask: bind(host.Source{Resolved: "/srv/disk", Device: true, Idmap: takes}), follow: own},
		{site: "control/mounts:readOnly#1", ask: func(r *asking) {
			bind(host.Source{Resolved: "/usr/share", Dir: true, Idmap: takes})(r)
			r.facts.Kernel.MountSetattr = false
		}, follow: func(r *asking) { r.facts.Kernel.MountSetattr = true }},
		{site: "control/mounts:several#1", ask: mount(specs.Mount{Destination: "/m", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m,mode=700"}}), follow: mount(specs.Mount{Destination: "/m", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=1m", "mode=700"}}), ungranted: true},
		{site: "control/mounts:fresh#1", ask: mount(specs.Mount{Destination: "/p", Type: "proc", Source: "proc"}), follow: mount(specs.Mount{Destination: "/proc", Type: "proc", Source: "proc"}), ungranted: true},
		{site: "control/mounts:fresh#2", ask: mount(specs.Mount{Destination: "/m", Type: "ext4", Source: "/dev/sda"}), follow: own, ungranted: true},
		{site: "control/mounts:judge#2", ask: mount(specs.Mount{Destination: "/proc/", Type: "tmpfs", Source: "tmpfs"}), follow: mount(specs.Mount{Destination: "/proc", Type: "proc", Source: "proc"}), ungranted: true},
		{site: "control/mounts:judge#1", ask: mount(specs.Mount{Destination: "/m", Type: "tmpfs", Source: "tmpfs", Options: []string{"remount"}}), follow: none, ungranted: true},
		{site: "control/mounts:root#1", ask: root(host.Root{Source: host.Source{Err: "denied"}}), follow: inBundle, ungranted: true},
		{site: "control/mounts:root#2", ask: root(host.Root{Source: host.Source{Resolved: "/usr/my root", Dir: true}}), follow: inBundle},
		{site: "control/mounts:root#2", name: "by several names", ask: root(host.Root{Source: host.Source{Resolved: "/usr/root", Aliases: []string{"/etc/root"}, Dir: true}}), follow: inBundle},
		{site: "control/mounts:root#3", ask: root(host.Root{Source: host.Source{Resolved: "/var/lib", Dir: true}}), follow: inBundle, ungranted: true},
		{site: "control/mounts:root#4", ask: root(host.Root{Source: host.Source{Resolved: "/srv/root", Dir: true}, Links: []string{"/proc"}}), follow: inBundle, ungranted: true},
		{site: "control/mounts:root#4", name: "the working directory", ask: root(host.Root{Source: host.Source{Resolved: "/srv/root", Dir: true}, Cwd: "/proc/self/fd/7"}), follow: inBundle, ungranted: true},
		{site: "control/mounts:root#5", ask: root(host.Root{Source: host.Source{Resolved: "/srv/root", Contains: []string{"/etc"}, Dir: true}}), follow: inBundle, ungranted: true},
	}
}

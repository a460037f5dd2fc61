package integration

import (
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func bindOf(source, dest string) specs.Mount {
	return specs.Mount{Destination: dest, Type: "bind", Source: source, Options: []string{"rbind", "rw"}}
}

// links is a volume with links: name to target.
func links(t *testing.T, all map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	for name, to := range all {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.Symlink(to, filepath.Join(dir, name)))
	}
	return dir
}

// likeProc is a volume with what low-level runtimes read and write of procfs,
// LSM labels among it.
func likeProc(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	for _, sub := range []string{"/self/attr", "/self/fd"} {
		must(t, os.MkdirAll(dir+sub, 0o755))
	}
	for name, text := range map[string]string{"/self/status": string(status), "/self/attr/exec": "", "/uptime": "FOREIGN\n"} {
		must(t, os.WriteFile(dir+name, []byte(text), 0o644))
	}
	for _, fd := range "0123456789" {
		must(t, os.WriteFile(dir+"/self/fd/"+string(fd), nil, 0o644))
	}
	return dir
}

// A volume comes to be where low-level runtimes read and write procfs, or make
// devices: where its destination says, or by a link of the image or of another
// volume.
func TestReplaysByVolumes(t *testing.T) {
	says := func(script string, mounts ...specs.Mount) func(*specs.Spec) {
		return func(s *specs.Spec) {
			s.Process.Args = []string{"/bin/sh", "-c", "exec >/out 2>&1; " + script}
			s.Mounts = append(s.Mounts, mounts...)
		}
	}
	image := func(name, to string) func(*testing.T, string) {
		return func(t *testing.T, rootfs string) {
			t.Helper()
			_ = os.Remove(filepath.Join(rootfs, name))
			must(t, os.MkdirAll(rootfs+"/srv/p", 0o755))
			must(t, os.Symlink(to, filepath.Join(rootfs, name)))
		}
	}
	const foreign = "read l </proc/uptime; echo $l"
	replayAll(t, map[string]replay{
		"CVE-2019-16884": {
			"old-runc-2019", "1.0.0-rc8", says(foreign, bindOf(likeProc(t), "/proc")), nil, "FOREIGN", "stands for the kernel's own",
		},
		"CVE-2019-16884 by a link of the image": {
			"old-runc-2019", "1.0.0-rc8", says(foreign, bindOf(likeProc(t), "/x")), image("x", "proc"), "FOREIGN", "stands for the kernel's own",
		},
		"CVE-2019-16884 by a link of a volume": {
			"old-runc-2019", "1.0.0-rc8", says(foreign, bindOf(links(t, map[string]string{"up": ".."}), "/data"), bindOf(likeProc(t), "/data/up/proc")),
			nil, "FOREIGN", "stands for the kernel's own",
		},
		// procfs comes to be on a volume, where another container changes what lies above it.
		"CVE-2019-19921": {
			"old-runc-2019", "1.0.0-rc8", func(s *specs.Spec) {
				says("/bin/grep -c ' /srv/p/deep rw.* - proc ' /proc/self/mountinfo; echo at $?")(s)
				s.Mounts = append([]specs.Mount{bindOf(links(t, map[string]string{"deep/x": "y"}), "/srv/p")}, s.Mounts...)
			}, image("proc", "srv/p/deep"), "1\nat 0", "/proc of the image",
		},
		// A label is written into another file of procfs.
		"CVE-2023-28642": {
			"old-runc-2023", "1.1.4", says("/bin/readlink /proc/self/attr/exec",
				specs.Mount{Destination: "/srv/real", Type: "proc", Source: "proc"},
				bindOf(links(t, map[string]string{"self/fd": "/srv/real/self/fd", "self/attr/exec": "/srv/real/self/comm", "self/status": "/srv/real/self/status"}), "/srv/p")),
			image("proc", "srv/p"), "/srv/real/self/comm", "/proc of the image",
		},
		// A setting of the spec's is written where a link on a volume leads.
		"CVE-2025-52881": {
			"old-runc-2023", "1.1.4", func(s *specs.Spec) {
				s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "4711"}
				says("read l </proc/other; echo wrote $l", specs.Mount{Destination: "/srv/real", Type: "proc", Source: "proc"},
					bindOf(links(t, map[string]string{"self": "/srv/real/self", "sys/net/ipv4/ip_unprivileged_port_start": "../../../other"}), "/srv/p"))(s)
			}, image("proc", "srv/p"), "wrote 4711", "/proc of the image",
		},
		"CVE-2025-31133 by a copy of the image's folder": {
			"old-runc-2025", "1.2.7", func(s *specs.Spec) {
				says("/bin/readlink /proc/self/fd/0")(s)
				for i, m := range s.Mounts {
					if m.Destination == "/dev" {
						s.Mounts[i].Options = append(m.Options, "tmpcopyup")
					}
				}
			}, image("dev/null", "/proc/sys/kernel/domainname"), "/proc/sys/kernel/domainname", "/dev/null of the image",
		},
		// What is masked becomes another file of procfs.
		"CVE-2025-31133 by a volume": {
			"old-runc-2025", "1.2.7", says("/bin/grep /proc/keys /proc/self/mountinfo", bindOf(links(t, map[string]string{"null": "/proc/sys/kernel/domainname"}), "/dev")),
			nil, "/sys/kernel/domainname /proc/keys", "make devices and terminals",
		},
		"CVE-2025-31133 by a volume and a link": {
			"old-runc-2025", "1.2.7", says("/bin/readlink /proc/self/fd/0", bindOf(links(t, map[string]string{"null": "/proc/sys/kernel/domainname"}), "/x")),
			image("x", "dev"), "/proc/sys/kernel/domainname", "make devices and terminals",
		},
	})
}

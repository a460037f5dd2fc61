package mounts

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// What Docker and containerd mask and make read-only (moby, daemon/pkg/oci;
// containerd, pkg/oci).
func TestDockersPathsAreInTheProfile(t *testing.T) {
	p := profile(t, "baseline").Mounts
	has := func(all []policy.ReasonedPath, path string) bool {
		return slices.ContainsFunc(all, func(r policy.ReasonedPath) bool { return r.Path == path && r.Reason != "" })
	}
	for _, path := range []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
		"/sys/devices/system/cpu/cpu*/thermal_throttle",
	} {
		if !has(p.Masked, path) {
			t.Errorf("%s is not masked", path)
		}
	}
	for _, path := range []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"} {
		if !has(p.ReadOnly, path) && !has(p.Masked, path) {
			t.Errorf("%s can be written to", path)
		}
	}
}

// What JVMs, databases, ps and top read stays open.
func TestWhatProgramsReadStaysOpen(t *testing.T) {
	for _, path := range []string{
		"/proc/cgroups", "/proc/cpuinfo", "/proc/devices", "/proc/filesystems", "/proc/loadavg", "/proc/locks", "/proc/meminfo", "/proc/stat",
		"/proc/tty/drivers", "/proc/uptime", "/proc/version", "/proc/vmstat", "/proc/self", "/proc/net", "/proc/sys", "/proc/sysvipc",
		"/sys/class/net", "/sys/devices/system/cpu/online", "/sys/devices/system/node", "/sys/fs/cgroup",
		"/sys/kernel/mm/transparent_hugepage",
	} {
		for _, r := range profile(t, "untrusted").Mounts.Masked {
			if path == r.Path || policy.MatchPath(r.Path, path) || len(path) > len(r.Path) && path[:len(r.Path)+1] == r.Path+"/" {
				t.Errorf("%s is masked by %s", path, r.Path)
			}
		}
	}
}

func TestPathsOfThisHostAndExceptions(t *testing.T) {
	p := profile(t, "baseline")
	p.Mounts.Visible = []string{"/proc/modules", "/proc/irq"}
	f := able(nil)
	f.Globs = map[string][]string{"/sys/devices/system/cpu/cpu*/thermal_throttle": {
		"/sys/devices/system/cpu/cpu0/thermal_throttle", "/sys/devices/system/cpu/cpu1/thermal_throttle",
	}}
	s := &specs.Spec{Linux: &specs.Linux{MaskedPaths: []string{"/proc/irq"}}}
	apply(t, p, f, s)
	for path, want := range map[string]bool{
		"/sys/devices/system/cpu/cpu0/thermal_throttle": true, "/sys/devices/system/cpu/cpu1/thermal_throttle": true,
		"/sys/devices/system/cpu/cpu*/thermal_throttle": false, "/proc/modules": false, "/proc/kcore": true, "/proc/irq": true,
	} {
		if slices.Contains(s.Linux.MaskedPaths, path) != want {
			t.Errorf("%s: masked %v", path, !want)
		}
	}
	if slices.Contains(s.Linux.ReadonlyPaths, "/proc/irq") {
		t.Error("an exception is read-only")
	}
}

// What is mounted below a source counts as what it is elsewhere.
func TestBroughtAlong(t *testing.T) {
	p := &policy.Profile{Mounts: policy.MountRules{
		Protect: []policy.PathRule{{Path: "/etc", Access: policy.AccessNone}, {Path: "/usr", Access: policy.AccessRO}},
		Allow:   []policy.PathRule{{Path: "/open", Access: policy.AccessRW}},
	}}
	for _, c := range []struct {
		source, brings string
		refused, ro    bool
	}{
		{"/srv/a", "/etc/deep", true, false},
		{"/srv/a", "/", true, false},
		{"/srv/a", "/usr/lib", false, true},
		{"/srv/a", "/srv/b", false, false},
		{"/open", "/etc/deep", false, false},
	} {
		f := host.Facts{
			Kernel: host.Kernel{MountSetattr: true}, Runtime: host.Runtime{MountOptions: []string{"rro", "rnosuid", "rnodev"}},
			Sources: map[string]host.Source{"/asked": {Resolved: c.source, Dir: true, Brings: []string{c.brings}}},
			Root:    &host.Root{Source: host.Source{Resolved: "/b/rootfs", Brings: []string{c.brings}}},
		}
		s := &specs.Spec{Mounts: []specs.Mount{{Destination: "/m", Type: "bind", Source: "/asked", Options: []string{"rbind"}}}}
		_, err := New(p, f).Apply(s)
		if ro := slices.Contains(s.Mounts[0].Options, "rro"); (err != nil) != c.refused || ro != c.ro {
			t.Errorf("%+v: %v, read-only %v", c, err, ro)
		}
		if _, err := New(p, f).Apply(&specs.Spec{Root: &specs.Root{Path: "rootfs"}}); (err != nil) != (c.brings != "/srv/b") {
			t.Errorf("a root with %s: %v", c.brings, err)
		}
	}
}

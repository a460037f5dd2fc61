package sandbox

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// period of the CPU's quota, in microseconds (kernel, sched-bwc.rst).
const period = 100000

// Spec is the box as a low-level runtime reads it. The policy narrows it further.
func (b *Box) Spec() *specs.Spec {
	noCaps := &specs.LinuxCapabilities{Bounding: []string{}, Effective: []string{}, Permitted: []string{}, Inheritable: []string{}, Ambient: []string{}}
	score := 300 // the host's memory runs out: the box goes first
	umask := uint32(0o022)
	return &specs.Spec{
		Version:  "1.0.2",
		Hostname: "box",
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{
			Terminal: b.Terminal, Args: append([]string{InitAt, InitVerb}, b.Args...), Env: b.Env, Cwd: b.Workdir(),
			User: specs.User{UID: b.UID, GID: b.GID, Umask: &umask}, Capabilities: noCaps, NoNewPrivileges: true, OOMScoreAdj: &score,
			Rlimits: b.rlimits(),
		},
		Mounts: b.mounts(),
		Linux: &specs.Linux{
			Namespaces: b.namespaces(), UIDMappings: b.ids(b.UID), GIDMappings: b.ids(b.GID),
			CgroupsPath: b.cgroup(), Resources: b.resources(), Seccomp: noSetuid(), RootfsPropagation: "private",
			MaskedPaths: paths(b.Found.Hidden), ReadonlyPaths: paths(b.Found.Kept),
		},
	}
}

// InitVerb is the command of our own program that runs first in the box.
const InitVerb = "in-the-box"

func (b *Box) resources() *specs.LinuxResources {
	r := &specs.LinuxResources{}
	if !b.Alone { // the kernel gives a user namespace no devices but those that are bound in
		r.Devices = []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}
	}
	if n := b.Limits.Pids; n > 0 && b.holds("pids") {
		r.Pids = &specs.LinuxPids{Limit: &n}
	}
	if n := b.Limits.Memory; n > 0 && b.holds("memory") {
		r.Memory = &specs.LinuxMemory{Limit: &n, Swap: &n}
	}
	if b.Limits.CPU > 0 && b.holds("cpu") {
		quota, p := int64(b.Limits.CPU*period), uint64(period)
		r.CPU = &specs.LinuxCPU{Quota: &quota, Period: &p}
	}
	return r
}

func (b *Box) mounts() []specs.Mount {
	owner := []string{"uid=" + strconv.Itoa(int(b.UID)), "gid=" + strconv.Itoa(int(b.GID))}
	memory := func(at, mode string, more ...string) specs.Mount {
		options := append([]string{"nosuid", "nodev", "mode=" + mode}, more...)
		if b.Limits.Tmp > 0 {
			options = append(options, "size="+strconv.FormatInt(b.Limits.Tmp, 10))
		}
		if !b.Exec {
			options = append(options, "noexec")
		}
		return specs.Mount{Destination: at, Type: "tmpfs", Source: "tmpfs", Options: options}
	}
	all := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		memory("/tmp", "1777"), memory("/var/tmp", "1777"), memory("/run", "755"), memory(Home, "700", owner...),
		memory(Secrets, "700", owner...),
	}
	for _, dir := range slices.Concat(b.System.Dirs, b.System.Certificates) {
		all = append(all, bind(dir, dir, false))
	}
	var granted []specs.Mount
	for _, g := range b.Grants {
		granted = append(granted, bind(b.Host(g.Path), g.Path, g.Write))
	}
	for _, a := range b.Found.Anchors {
		granted = append(granted, bind(b.Host(a), a, true))
	}
	// An outer directory first: it would hide an inner one.
	slices.SortStableFunc(granted, func(x, y specs.Mount) int {
		return cmp.Compare(strings.Count(x.Destination, "/"), strings.Count(y.Destination, "/"))
	})
	if b.Resolv != "" {
		granted = append(granted, bind(b.Resolv, "/etc/resolv.conf", false))
	}
	return append(append(all, granted...), bind(b.Init, InitAt, false))
}

func bind(source, at string, write bool) specs.Mount {
	options := []string{"rbind", "rprivate", "rnosuid", "rnodev"}
	if !write {
		options = append(options, "ro", "rro")
	}
	return specs.Mount{Destination: at, Type: "bind", Source: source, Options: options}
}

func paths(all []Closed) []string {
	out := make([]string, 0, len(all))
	for _, c := range all {
		out = append(out, c.Path)
	}
	return out
}

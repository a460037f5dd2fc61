package userns

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Verdict says whether a container gets a user namespace from us.
type Verdict struct {
	Use bool
	// Join is the user namespace to join; without a path it is a new one.
	Join host.UserNSOwner
	// Why says why there is none although the profile wants one, Field of what
	// and Remedy what helps.
	Field, Why, Remedy string
	// Caused is true where the request alone is why: no fact of the host stands
	// against it.
	Caused bool
}

// Given reports whether the spec asks for a user namespace itself.
func Given(s *specs.Spec) bool { return given(s) }

// Decide looks at all that a user namespace depends on.
func Decide(p *policy.Profile, f host.Facts, s *specs.Spec, restore bool) Verdict {
	if !p.UserNS.Wanted() || given(s) {
		return Verdict{}
	}
	for _, look := range []func(*policy.Profile, host.Facts, *specs.Spec) Verdict{system, hooks, root, sources} {
		if v := look(p, f, s); v.Why != "" {
			return v
		}
	}
	if restore {
		return because("linux.namespaces[user]", "a checkpoint comes back as it was taken", "start the container anew")
	}
	return namespaces(p, f, s)
}

func because(field, why, remedy string) Verdict {
	return Verdict{Field: field, Why: why, Remedy: remedy}
}

// system looks at the kernel, the low-level runtime and who we are.
func system(_ *policy.Profile, f host.Facts, s *specs.Spec) Verdict {
	const field = "linux.namespaces[user]"
	switch {
	case f.Euid != 0:
		return because(field, "without root the ids come from the engine", "let the engine ask for a user namespace, as rootless engines do")
	case !f.UserNS.Kernel.OK:
		return because(field, or(f.UserNS.Kernel.Why, "nobody has asked this kernel"), "set user.max_user_namespaces, or use another kernel")
	case !slices.Contains(f.Runtime.Namespaces, "user"):
		return because(field, "the low-level runtime has no user namespaces", "use runc 1.1 or later")
	case !f.UserNS.Place.OK:
		return because(field, f.UserNS.Place.Why, "set stateDir in the policy to a directory below ones that all may pass through")
	case s.Linux == nil:
		return because(field, "the spec has no linux section", "ask for a container of Linux")
	}
	return Verdict{}
}

// ours is hatchdog's own hook, which works on the network namespace alone.
func ours(f host.Facts, h specs.Hook) bool {
	own := f.Own.Hook()
	return f.Own.Path != "" && h.Path == own.Path && slices.Equal(h.Args, own.Args) && len(h.Env) == 0
}

// hooks looks for hooks that work on the container's files as the host's root.
// startContainer hooks run inside, as the container's user.
func hooks(p *policy.Profile, f host.Facts, s *specs.Spec) Verdict {
	if s.Hooks == nil {
		return Verdict{}
	}
	all := slices.Concat(s.Hooks.Prestart, //nolint:staticcheck // deprecated, but Docker uses it and runc runs it
		s.Hooks.CreateRuntime, s.Hooks.CreateContainer, s.Hooks.Poststart, s.Hooks.Poststop)
	for _, h := range all {
		if !ours(f, h) && (!p.Hooks.DockerNetwork || !f.Hooks[h.Path].Dockerd) {
			return because("hooks", "a hook other than Docker's for the network ("+h.Path+") may count on being the container's root",
				"leave the hook out")
		}
	}
	return Verdict{}
}

// root looks at the root file system.
func root(_ *policy.Profile, f host.Facts, s *specs.Spec) Verdict {
	if s.Root == nil || !f.UserNS.Root.Idmap.OK {
		return because("root.path", "the root file system: "+or(f.UserNS.Root.Idmap.Why, "it could not be examined"),
			"keep the engine's data on ext4, xfs or another file system that takes id mappings, under overlay2 or overlayfs")
	}
	return Verdict{}
}

// sources looks at the bind mounts.
func sources(p *policy.Profile, f host.Facts, s *specs.Spec) Verdict {
	for _, m := range s.Mounts {
		field := "mounts[" + m.Destination + "]"
		src, ok := f.Sources[m.Source]
		if !isBind(m) || ok && src.Err != "" { // the mounts control refuses that
			continue
		}
		if ok && (src.Idmap.OK || unmapped(m, src) || !p.UserNS.Volumes.For(src.Resolved).Mapped()) {
			continue
		}
		return because(field, fmt.Sprintf("mount %s (from %s): %s", m.Destination, m.Source, or(src.Idmap.Why, "it could not be examined")),
			"keep it on ext4, xfs or another file system that takes id mappings, or set userns.volumes to shifted for "+or(src.Resolved, m.Source))
	}
	return Verdict{}
}

// unmapped knows the mount that needs no mapping where its file system takes
// none: all may write to the shared memory of a pod, and who makes a file there
// owns it. tmpfs takes a mapping from 6.3 on.
func unmapped(m specs.Mount, src host.Source) bool {
	return m.Destination == "/dev/shm" && src.Dir && !src.Idmap.OK
}

// namespaces looks at what the container shares and joins.
func namespaces(p *policy.Profile, f host.Facts, s *specs.Spec) Verdict {
	v := Verdict{Use: true}
	for _, t := range []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace, specs.UTSNamespace,
	} {
		if !slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == t }) {
			return because("linux.namespaces["+string(t)+"]", "the container shares the host's "+string(t)+" namespace",
				"give it one of its own")
		}
	}
	for _, ns := range s.Linux.Namespaces {
		if ns.Path == "" {
			continue
		}
		field := "linux.namespaces[" + string(ns.Type) + "].path"
		owner := f.Joined[ns.Path].Owner
		switch {
		case ns.Type == specs.NetworkNamespace && owner.Host:
			if v := network(p, f, s, field, ns.Path); v.Why != "" {
				return v
			}
			continue
		case owner.Host:
			return because(field, "the "+string(ns.Type)+" namespace that it joins belongs to the host's user namespace",
				"start the container that it belongs to with hatchdog")
		case owner.Path == "" || owner.Range.Low() < size:
			v := because(field, "the user namespace of the "+string(ns.Type)+" namespace that it joins cannot be told, or has no mapping of ids from 0 to 65535",
				"start the container that it belongs to with hatchdog, and name it by /proc/PID/ns")
			v.Caused = true
			return v
		case v.Join.Path != "" && v.Join.Range != owner.Range:
			v := because(field, "it joins namespaces of containers with different ids", "join those of one container")
			v.Caused = true
			return v
		}
		v.Join = owner
	}
	if v.Join.Path != "" && readsNoMapping(f.Runtime) && foreignNet(f, s) {
		return because("linux.namespaces[user]", "runc before 1.2 cannot join a pod's user namespace and the pod's network", "use runc 1.2 or later")
	}
	return v
}

// network looks at a network namespace that the host's user namespace owns, as
// a pod's: capabilities over the network have no effect in it.
func network(p *policy.Profile, f host.Facts, s *specs.Spec, field, path string) Verdict {
	hosts := f.HostNamespaces["network"]
	if len(hosts) == 0 || slices.Contains(hosts, f.Joined[path].ID) {
		return because(field, "the container shares the host's network namespace", "give it one of its own")
	}
	if s.Process == nil || s.Process.Capabilities == nil {
		return Verdict{}
	}
	for _, name := range []string{"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_NET_BIND_SERVICE"} {
		if slices.Contains(s.Process.Capabilities.Bounding, name) && slices.Contains(p.Capabilities.Max, name) {
			return because(field, "the container has "+name+", which would have no effect in a network namespace that was made for it before",
				"drop the capability, or let the profile take it away")
		}
	}
	return Verdict{}
}

func foreignNet(f host.Facts, s *specs.Spec) bool {
	return slices.ContainsFunc(s.Linux.Namespaces, func(ns specs.LinuxNamespace) bool {
		return ns.Type == specs.NetworkNamespace && ns.Path != "" && f.Joined[ns.Path].Owner.Host
	})
}

func or(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// readsNoMapping knows the runc that wants the mapping in the spec also where
// the user namespace is joined.
func readsNoMapping(r host.Runtime) bool {
	return r.Name == "runc" && (strings.HasPrefix(r.Version, "1.0.") || strings.HasPrefix(r.Version, "1.1."))
}

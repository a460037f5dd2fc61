package userns

import (
	"fmt"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
)

// leastHostID is where ids begin that no account of the host has by itself.
const leastHostID = 1 << 16

// The kubelet without a line in /etc/subuid gives each pod 65,536 ids at a
// multiple of that (pkg/kubelet/userns): of the first maxPods until Kubernetes
// 1.29, and of all since.
const (
	podIDs  = 1 << 16
	maxPods = 2048
)

const ownIDs = "let the engine use ids of its own: lines of dockremap (Docker), containers (Podman, CRI-O) or kubelet (with an account of that name) in /etc/subuid and /etc/subgid; or leave the user namespace to hatchdog"

// keep judges the user namespace that the engine asked for.
func (c userns) keep(s *specs.Spec) error {
	if c.facts.Euid != 0 { // the kernel lets us map no more than we are given
		return c.joins(s)
	}
	o := c.facts.UserNS.Owners
	if c.ours(s) {
		return c.joins(s)
	}
	if why := foreign(s.Linux.UIDMappings, o.EngineUIDs, o.Users, o); why != "" {
		return c.refuse("linux.uidMappings", why, ownIDs)
	}
	if why := foreign(s.Linux.GIDMappings, o.EngineGIDs, o.Groups, o); why != "" {
		return c.refuse("linux.gidMappings", why, ownIDs)
	}
	return c.joins(s)
}

// ours knows the mapping that this control wrote itself.
func (c userns) ours(s *specs.Spec) bool {
	wrote := func(r host.IDRange) bool {
		own := mapping(r)
		return r.Low() >= size && r.Base >= leastHostID && slices.Equal(s.Linux.UIDMappings, own) && slices.Equal(s.Linux.GIDMappings, own)
	}
	for _, j := range c.facts.Joined {
		join := specs.LinuxNamespace{Type: specs.UserNamespace, Path: j.Owner.Path}
		if j.Owner.Path != "" && slices.Contains(s.Linux.Namespaces, join) && wrote(j.Owner.Range) {
			return true
		}
	}
	return wrote(c.facts.UserNS.Range)
}

func (c userns) refuse(field, reason, remedy string) error {
	return &control.Refusal{Control: c.Name(), Field: field, Reason: reason, Policy: c.profile.Where("userns.mode"), Remedy: remedy}
}

// foreign says why a mapping holds ids that are not the engine's to give.
func foreign(all []specs.LinuxIDMapping, engine, accounts []host.IDRange, o host.IDOwners) string {
	for _, m := range all {
		r := host.IDRange{Base: m.HostID, Size: m.Size}
		in := func(o host.IDRange) bool { return o.Overlaps(r) }
		switch {
		case r.Size == 0:
			continue // the kernel refuses it
		case m.HostID == 0:
			return "it maps the host's root: whoever has that id inside is root outside"
		case !r.Valid():
			return "it maps ids that do not exist"
		case m.HostID < leastHostID || slices.ContainsFunc(accounts, in):
			return fmt.Sprintf("it maps accounts of the host (%d of the host's ids from %d on)", m.Size, m.HostID)
		case slices.ContainsFunc(engine, func(o host.IDRange) bool { return o.Holds(r) }):
			continue
		case slices.ContainsFunc(o.Others, in):
			return fmt.Sprintf("the host's ids from %d on belong to other containers or users (hatchctl ids, /etc/subuid)", m.HostID)
		case m.HostID%podIDs != 0 || m.Size%podIDs != 0 || !o.KubeletAny && r.Beyond((maxPods+1)*podIDs):
			return fmt.Sprintf("the host's ids from %d on are set aside for no engine", m.HostID)
		}
	}
	return ""
}

// joins judges a user namespace that is joined by its path.
func (c userns) joins(s *specs.Spec) error {
	for _, ns := range s.Linux.Namespaces {
		if ns.Type != specs.UserNamespace {
			continue
		}
		if ns.Path == "" {
			if len(s.Linux.UIDMappings) == 0 || len(s.Linux.GIDMappings) == 0 {
				return c.refuse("linux.uidMappings", "it has a user namespace without ids, and some runtimes then map the host's root", "map ids of its own")
			}
			continue
		}
		if c.facts.Euid == 0 && !slices.Contains(c.profile.Namespaces.Host, "user") && !c.facts.Joined[ns.Path].NoHostRoot && !c.held(s) {
			return c.refuse("linux.namespaces[user].path", "it joins a user namespace that maps accounts of the host, or whose mapping cannot be told",
				"join the user namespace of a container that has ids of its own")
		}
	}
	return nil
}

// held reports whether the low-level runtime holds a user namespace that is
// joined to the mapping in the spec, of which keep knows that it maps no account
// of the host. runc does from 1.2 on (libcontainer/specconv, setupUserNamespace).
// containerd pins the namespace of a pod with hostUsers: false where its mapping
// cannot be read.
func (c userns) held(s *specs.Spec) bool {
	return len(s.Linux.UIDMappings) > 0 && len(s.Linux.GIDMappings) > 0 && c.facts.Runtime.Name == "runc" && !readsNoMapping(c.facts.Runtime)
}

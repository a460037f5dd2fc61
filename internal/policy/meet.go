package policy

import (
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Meet is the profile that forbids whatever a or b forbids.
func Meet(a, b *Profile) *Profile {
	p := *a
	p.Name = a.Name + " met with " + b.Name
	p.OnExcess = maps.Clone(a.OnExcess)
	for control, excess := range b.OnExcess {
		if excess == Refuse {
			p.OnExcess[control] = Refuse
		}
	}
	if b.UnknownFields == RefuseUnknown {
		p.UnknownFields = RefuseUnknown
	}
	if b.Others != OthersAdmit {
		p.Others = b.Others
	}
	if b.Restore != RestoreAdmit {
		p.Restore = b.Restore
	}
	p.UserNS = meetUserNS(a.UserNS, b.UserNS)
	p.Capabilities.Max = common(a.Capabilities.Max, b.Capabilities.Max)
	if b.Capabilities.NonRoot == NonRootAmbient {
		p.Capabilities.NonRoot = NonRootAmbient
	}
	p.Privilege = meetPrivilege(a.Privilege, b.Privilege)
	p.Apparmor = meetApparmor(a.Apparmor, b.Apparmor)
	p.Namespaces = NamespaceRules{common(a.Namespaces.Host, b.Namespaces.Host), common(a.Namespaces.Join, b.Namespaces.Join)}
	p.Mounts = meetMounts(a.Mounts, b.Mounts)
	p.RootFS = meetRootFS(a.RootFS, b.RootFS)
	p.Devices.Allow = meetDevices(a.Devices.Allow, b.Devices.Allow)
	p.Pids.Max = least(a.Pids.Max, b.Pids.Max)
	p.Memory = MemoryRules{least(a.Memory.Max, b.Memory.Max), least(a.Memory.Swap, b.Memory.Swap)}
	p.CPU.MaxMilli = least(a.CPU.MaxMilli, b.CPU.MaxMilli)
	p.Sysctls.Allow = common(a.Sysctls.Allow, b.Sysctls.Allow)
	p.Hooks = HookRules{common(a.Hooks.Allow, b.Hooks.Allow), common(a.Hooks.Env, b.Hooks.Env), common(a.Hooks.Args, b.Hooks.Args), a.Hooks.DockerNetwork && b.Hooks.DockerNetwork}
	p.Annotations.Strip = union(a.Annotations.Strip, b.Annotations.Strip)
	p.Seccomp = meetSeccomp(a.Seccomp, b.Seccomp)
	p.Egress, p.Ingress = meetEgress(a, b), meetIngress(a, b)
	p.Rate.Egress = least(a.Rate.Egress, b.Rate.Egress)
	p.Prevent = meetPrevent(a.Prevent, b.Prevent)
	p.Detect = meetDetect(a.Detect, b.Detect)
	p.Origin = maps.Clone(b.Origin)
	maps.Copy(p.Origin, a.Origin)
	return &p
}

func meetPrivilege(a, b PrivilegeRules) PrivilegeRules {
	p := PrivilegeRules{
		NoNewPrivileges: a.NoNewPrivileges || b.NoNewPrivileges,
		OOMScoreAdjMin:  max(a.OOMScoreAdjMin, b.OOMScoreAdjMin),
		Umask:           a.Umask,
		DeniedGids:      union(a.DeniedGids, b.DeniedGids),
		SelinuxTypes:    common(a.SelinuxTypes, b.SelinuxTypes),
		Rlimits:         maps.Clone(a.Rlimits),
	}
	if b.Umask != nil {
		bits := *b.Umask
		if a.Umask != nil {
			bits |= *a.Umask
		}
		p.Umask = &bits
	}
	for name, rule := range b.Rlimits {
		if have, both := p.Rlimits[name]; both {
			rule = RlimitRule{min(have.Max, rule.Max), have.Force || rule.Force}
		}
		if p.Rlimits == nil {
			p.Rlimits = map[string]RlimitRule{}
		}
		p.Rlimits[name] = rule
	}
	return p
}

func meetRootFS(a, b RootFSRules) RootFSRules {
	places := common(a.Allow, b.Allow)
	a.Allow, b.Allow = places, places
	switch {
	case !b.ReadOnly:
		return a
	case !a.ReadOnly:
		return b
	}
	m := RootFSRules{Allow: places, ReadOnly: true, Tmpfs: common(a.Tmpfs, b.Tmpfs), TmpfsSize: min(a.TmpfsSize, b.TmpfsSize)}
	if m.TmpfsSize == 0 {
		m.TmpfsSize = max(a.TmpfsSize, b.TmpfsSize)
	}
	return m
}

func meetDevices(a, b []DeviceRule) []DeviceRule {
	var kept []DeviceRule
	for _, d := range a {
		if slices.ContainsFunc(b, func(o DeviceRule) bool { return sameDevice(d, o) }) {
			kept = append(kept, d)
		}
	}
	return kept
}

func sameDevice(a, b DeviceRule) bool {
	return a.Type == b.Type && a.Access == b.Access && same(a.Major, b.Major) && same(a.Minor, b.Minor)
}

func same(a, b *int64) bool { return a == b || a != nil && b != nil && *a == *b }

// least is the lower ceiling; nil is none.
func least(a, b *int64) *int64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case *b < *a:
		return b
	}
	return a
}

func common[T comparable](a, b []T) []T {
	out := []T{}
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

func union[T comparable](a, b []T) []T {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// HeldTo is the profile for what comes later in a container that runs with
// spec: exec gets no more than the container has, whatever the policy would
// have allowed a new one.
func (p *Profile) HeldTo(spec *specs.Spec) *Profile {
	c := *p
	if spec.Process == nil {
		c.Capabilities.Max = []string{}
		return &c
	}
	proc := spec.Process
	var bounding []string
	if proc.Capabilities != nil {
		for _, b := range proc.Capabilities.Bounding {
			bounding = append(bounding, strings.ToUpper(b))
		}
	}
	c.Capabilities.Max = common(p.Capabilities.Max, bounding)
	c.Privilege.NoNewPrivileges = p.Privilege.NoNewPrivileges || proc.NoNewPrivileges
	if proc.OOMScoreAdj != nil {
		c.Privilege.OOMScoreAdjMin = max(p.Privilege.OOMScoreAdjMin, *proc.OOMScoreAdj)
	}
	c.Privilege.Rlimits = maps.Clone(p.Privilege.Rlimits)
	for _, l := range proc.Rlimits {
		rule, ok := c.Privilege.Rlimits[l.Type]
		if !ok || l.Hard < rule.Max {
			rule.Max = l.Hard
		}
		rule.Force = true // runc gives a process of exec what the engine has, not what the container has
		if c.Privilege.Rlimits == nil {
			c.Privilege.Rlimits = map[string]RlimitRule{}
		}
		c.Privilege.Rlimits[l.Type] = rule
	}
	if proc.User.Umask != nil {
		bits := *proc.User.Umask
		if p.Privilege.Umask != nil {
			bits |= *p.Privilege.Umask
		}
		c.Privilege.Umask = &bits
	}
	return &c
}

// Package sysctls admits the kernel settings that the profile lists, where
// they belong to a namespace of the container's own.
//
// Guarantees: every setting left is on the profile's list and in a namespace
// that the container does not share with the host.
// Does not cover: what else is in a namespace that is joined.
// Requires: facts on the host's namespaces and on each path.
// Spec fields touched: linux.sysctl.
package sysctls

import (
	"errors"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type sysctls struct {
	profile *policy.Profile
	facts   host.Facts
}

// New makes the control.
func New(p *policy.Profile, f host.Facts) control.Control { return sysctls{p, f} }

func (sysctls) Name() string { return policy.Sysctls }

func (c sysctls) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Linux == nil {
		return nil, nil
	}
	var changes []control.Change
	var refusals []error
	for _, key := range slices.Sorted(maps.Keys(s.Linux.Sysctl)) {
		reason := c.reason(s.Linux, dotted(key))
		if reason == "" {
			continue
		}
		if c.profile.OnExcess[policy.Sysctls] != policy.Tighten {
			refusals = append(refusals, c.refusal(s.Linux, key, reason))
			continue
		}
		changes = append(changes, control.Change{
			Field: "linux.sysctl[" + key + "]", Before: s.Linux.Sysctl[key], After: "none", Reason: reason,
		})
		delete(s.Linux.Sysctl, key)
	}
	return changes, errors.Join(refusals...)
}

// refusal tells what helps: for a setting of the host no key of the policy.
func (c sysctls) refusal(l *specs.Linux, key, reason string) error {
	r := &control.Refusal{
		Control: policy.Sysctls, Field: "linux.sysctl[" + key + "]", Reason: reason,
		Policy: c.profile.Where("sysctls.allow"), Remedy: "leave it out",
	}
	ns, namespaced := namespaceOf(dotted(key))
	switch {
	case !namespaced:
		r.Remedy = "leave it out, and set it on the host"
	case !c.own(l, ns):
		r.Remedy = "leave it out, or give the container a namespace of its own: " + string(ns)
	default:
		return r.Granting(control.Add("sysctls.allow", control.Quoted(dotted(key))))
	}
	return r
}

// own reports whether the container has a namespace that is not the host's.
func (c sysctls) own(l *specs.Linux, t specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == t && !c.hosts(n) })
}

// reason says why a setting is not admitted; "" is admitted.
func (c sysctls) reason(l *specs.Linux, key string) string {
	ns, namespaced := namespaceOf(key)
	switch {
	case !namespaced:
		return "it is a setting of the whole host"
	case !c.own(l, ns):
		return "the container has no " + string(ns) + " namespace of its own, so it is a setting of the host"
	case !c.listed(key):
		return "the profile does not list it"
	}
	return ""
}

// hosts reports whether a namespace is joined that is the host's, or could be.
func (c sysctls) hosts(n specs.LinuxNamespace) bool {
	known := c.facts.HostNamespaces[string(n.Type)]
	return n.Path != "" && (len(known) == 0 || slices.Contains(known, c.facts.Joined[n.Path].ID))
}

func (c sysctls) listed(key string) bool {
	return policy.Lists(c.profile.Sysctls.Allow, key)
}

// dotted brings the spelling with slashes to the one with dots. The first
// separator tells which one it is (sysctl(8)): in "net/ipv4/conf/eth0.1/x" the
// dot is part of a name.
func dotted(key string) string {
	i := strings.IndexAny(key, "./")
	if i < 0 || key[i] == '.' {
		return key
	}
	return strings.NewReplacer("/", ".", ".", "/").Replace(key)
}

// namespaceOf tells which namespace a setting belongs to (namespaces(7),
// ipc_namespaces(7)).
func namespaceOf(key string) (specs.LinuxNamespaceType, bool) {
	switch key {
	case "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.msgmax", "kernel.msgmnb",
		"kernel.msgmni", "kernel.sem":
		return specs.IPCNamespace, true
	case "kernel.domainname", "kernel.hostname":
		return specs.UTSNamespace, true
	}
	switch {
	case strings.HasPrefix(key, "fs.mqueue."):
		return specs.IPCNamespace, true
	case strings.HasPrefix(key, "net."):
		return specs.NetworkNamespace, true
	}
	return "", false
}

// Package namespaces gives a container namespaces of its own.
//
// Guarantees: the container shares no namespace with the host but those that
// the profile names, and joins another container's only where the profile
// admits that type and the path really leads to a namespace that is not the
// host's; it has a cgroup namespace and, where kernel and runtime know it, a
// time namespace.
// Does not cover: user namespaces, which stay as asked; what a joined
// namespace holds.
// Requires: facts on the host's namespaces and on each path.
// Spec fields touched: linux.namespaces; linux.netDevices and
// linux.cgroupsPath are judged.
package namespaces

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Errors of a spec that cannot be judged.
var (
	ErrUnknown = errors.New("unknown namespace type")
	ErrTwice   = errors.New("namespace type given twice")
)

type namespaces struct {
	profile *policy.Profile
	facts   host.Facts
	restore bool
}

// New makes the control. restore is true where a checkpoint is brought back:
// it gets no time namespace that it did not have.
func New(p *policy.Profile, f host.Facts, restore bool) control.Control {
	return namespaces{p, f, restore}
}

func (namespaces) Name() string { return policy.Namespaces }

func (c namespaces) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Linux == nil {
		s.Linux = &specs.Linux{}
	}
	if err := check(s.Linux.Namespaces); err != nil {
		return nil, err
	}
	var changes []control.Change
	var refusals []error
	for i := range s.Linux.Namespaces {
		ch, err := c.given(&s.Linux.Namespaces[i])
		changes, refusals = append(changes, ch...), append(refusals, err)
	}
	for _, t := range []specs.LinuxNamespaceType{
		specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace, specs.UTSNamespace,
	} {
		ch, err := c.shared(s.Linux, t)
		changes, refusals = append(changes, ch...), append(refusals, err)
	}
	changes = append(changes, c.quiet(s.Linux)...)
	refusals = append(refusals, c.others(s.Linux)...)
	return changes, errors.Join(refusals...)
}

func check(all []specs.LinuxNamespace) error {
	seen := map[specs.LinuxNamespaceType]bool{}
	for _, ns := range all {
		switch ns.Type {
		case specs.PIDNamespace, specs.NetworkNamespace, specs.MountNamespace, specs.IPCNamespace,
			specs.UTSNamespace, specs.UserNamespace, specs.CgroupNamespace, specs.TimeNamespace:
		default:
			return fmt.Errorf("linux.namespaces: %w", ErrUnknown)
		}
		if seen[ns.Type] {
			return fmt.Errorf("linux.namespaces[%s]: %w", ns.Type, ErrTwice)
		}
		seen[ns.Type] = true
	}
	return nil
}

// given judges a namespace that the spec names.
func (c namespaces) given(ns *specs.LinuxNamespace) ([]control.Change, error) {
	if ns.Path == "" {
		return nil, nil
	}
	field := "linux.namespaces[" + string(ns.Type) + "].path"
	found, ok := c.facts.Joined[ns.Path]
	hosts := c.facts.HostNamespaces[string(ns.Type)]
	switch {
	case !ok || found.Err != "" || found.Type != string(ns.Type):
		return nil, c.refuse(field, "the path does not lead to a "+string(ns.Type)+" namespace", "check that the container it belongs to is running", "namespaces.join")
	case len(hosts) == 0 || slices.Contains(hosts, found.ID): // where nobody can tell, it is the host's
		if slices.Contains(c.profile.Namespaces.Host, string(ns.Type)) {
			return nil, nil
		}
		return c.excess(ns, field, "the container asks for the host's "+string(ns.Type)+" namespace: "+meaning(ns.Type), "namespaces.host")
	case ns.Type == specs.UserNamespace || slices.Contains(c.profile.Namespaces.Join, string(ns.Type)):
		return nil, nil
	}
	return c.excess(ns, field, "the profile lets no container join another's "+string(ns.Type)+" namespace", "namespaces.join")
}

// excess refuses, or gives a new namespace where the profile tightens.
func (c namespaces) excess(ns *specs.LinuxNamespace, field, reason, key string) ([]control.Change, error) {
	if c.profile.OnExcess[policy.Namespaces] != policy.Tighten {
		return nil, c.refusal(field, reason, "leave out "+asked(ns.Type, key), key).Granting(c.grants(ns.Type, key)...)
	}
	ch := control.Change{Field: field, Before: ns.Path, After: "new", Reason: reason}
	ns.Path = ""
	return []control.Change{ch}, nil
}

func (c namespaces) refuse(field, reason, remedy, key string) error {
	return c.refusal(field, reason, remedy, key)
}

func (c namespaces) refusal(field, reason, remedy, key string) *control.Refusal {
	return &control.Refusal{Control: policy.Namespaces, Field: field, Reason: reason, Policy: c.profile.Where(key), Remedy: remedy}
}

// grants are what admits a namespace. The host's network has no rules, and a
// container in a namespace of the host cannot have a user namespace.
func (c namespaces) grants(t specs.LinuxNamespaceType, key string) []control.Grant {
	all := []control.Grant{control.Add(key, string(t))}
	if key != "namespaces.host" {
		return all
	}
	if t == specs.NetworkNamespace {
		all = append(all, control.NoNetworkRules(c.profile)...)
	}
	if c.profile.UserNS.Mode == policy.UserNSRequired {
		all = append(all, control.Set("userns.mode", string(policy.UserNSAuto)))
	}
	return all
}

// shared judges a namespace that the spec does not name: the container would
// share the host's. Every engine names these five unless the host's is asked
// for.
func (c namespaces) shared(l *specs.Linux, t specs.LinuxNamespaceType) ([]control.Change, error) {
	if has(l, t) || slices.Contains(c.profile.Namespaces.Host, string(t)) {
		return nil, nil
	}
	field := "linux.namespaces[" + string(t) + "]"
	reason := "the container asks for the host's " + string(t) + " namespace: " + meaning(t)
	if c.profile.OnExcess[policy.Namespaces] != policy.Tighten {
		return nil, c.refusal(field, reason, "leave out "+option(t), "namespaces.host").Granting(c.grants(t, "namespaces.host")...)
	}
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: t})
	return []control.Change{{Field: field, Before: "host", After: "new", Reason: reason}}, nil
}

func meaning(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.PIDNamespace:
		return "it could see and signal the host's processes"
	case specs.NetworkNamespace:
		return "it could reach what listens on the host's loopback, and abstract sockets of its services"
	case specs.MountNamespace:
		return "it could mount and unmount on the host"
	case specs.IPCNamespace:
		return "it could read the shared memory of the host's processes"
	case specs.UTSNamespace:
		return "it could rename the host"
	}
	return "it would not be apart from the host"
}

func option(t specs.LinuxNamespaceType) string {
	switch t {
	case specs.NetworkNamespace:
		return "--network host (hostNetwork)"
	case specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace:
		return "--" + string(t) + " host (host" + strings.ToUpper(string(t)) + ")"
	}
	return "the request for it"
}

// asked is how a user asks for what the key of the policy does not grant.
func asked(t specs.LinuxNamespaceType, key string) string {
	if key == "namespaces.host" {
		return option(t)
	}
	return "the request to join it"
}

// quiet adds the namespaces that engines leave out without meaning the host's.
func (c namespaces) quiet(l *specs.Linux) []control.Change {
	var changes []control.Change
	add := func(t specs.LinuxNamespaceType, reason string) {
		if has(l, t) || slices.Contains(c.profile.Namespaces.Host, string(t)) ||
			!slices.Contains(c.facts.Kernel.Namespaces, string(t)) || !slices.Contains(c.facts.Runtime.Namespaces, string(t)) {
			return
		}
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: t})
		changes = append(changes, control.Change{Field: "linux.namespaces[" + string(t) + "]", After: "new", Reason: reason})
	}
	add(specs.CgroupNamespace, "the names of the host's control groups tell what else runs there")
	if !c.restore {
		add(specs.TimeNamespace, "the container's clocks are apart from the host's")
	}
	return changes
}

// others judges what reaches around the namespaces.
func (c namespaces) others(l *specs.Linux) []error {
	var refusals []error
	if len(l.NetDevices) > 0 {
		refusals = append(refusals, c.refuse("linux.netDevices", "it would move a network device of the host into the container",
			"leave it out of the request", "namespaces.host"))
	}
	if l.CgroupsPath != "" && (slices.Contains(strings.Split(l.CgroupsPath, "/"), "..") || strings.Trim(path.Clean(l.CgroupsPath), "/.") == "") {
		refusals = append(refusals, c.refuse("linux.cgroupsPath", "it leads out of the container's own control group",
			"name a path below the engine's", "namespaces.host"))
	}
	return refusals
}

func has(l *specs.Linux, t specs.LinuxNamespaceType) bool {
	return slices.ContainsFunc(l.Namespaces, func(ns specs.LinuxNamespace) bool { return ns.Type == t })
}

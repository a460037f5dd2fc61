// Package devices admits the device nodes that every container has and those
// that the profile lists.
//
// Guarantees: a node outside of these is refused, a default node's path has
// its own numbers, in a user namespace the host's file at the path is the
// device that the numbers name, and no rule of the device control group opens more than the
// nodes that were admitted.
// Does not cover: bind mounts of device nodes (see the mounts control); what
// runc itself opens in every container (specconv.AllowedDevices: the default
// nodes, ptmx, and mknod without access).
// Requires: facts on the host's files at the paths of the devices.
// Spec fields touched: linux.devices, linux.resources.devices.
package devices

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// listMost bounds how many nodes one refusal names: --privileged asks for
// hundreds.
const listMost = 5

type devices struct {
	profile *policy.Profile
	nodes   map[string]host.Node
}

// New makes the control of the profile.
func New(p *policy.Profile, f host.Facts) control.Control { return devices{p, f.Nodes} }

func (devices) Name() string { return policy.Devices }

func (c devices) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Linux == nil {
		return nil, nil
	}
	changes, refusal := c.judge(s.Linux)
	if s.Linux.Resources != nil {
		changes = append(changes, Rules(c.profile, s.Linux.Resources)...)
	}
	return changes, refusal
}

// judge judges linux.devices.
func (c devices) judge(l *specs.Linux) ([]control.Change, error) {
	var changes []control.Change
	// In a user namespace the low-level runtime binds the host's file at the
	// path, and the numbers do not count (libcontainer, bindMountDeviceNode).
	bound := slices.ContainsFunc(l.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.UserNamespace })
	var kept []specs.LinuxDevice
	var denied []specs.LinuxDevice
	for _, d := range l.Devices {
		if isDefault(d.Path, d.Type, d.Major, d.Minor) || (!bound || c.itself(d)) && admitted(c.profile, d.Type, &d.Major, &d.Minor, "rwm") {
			kept = append(kept, d)
			continue
		}
		denied = append(denied, d)
		changes = append(changes, control.Change{
			Field: "linux.devices[" + d.Path + "]", Before: fmt.Sprintf("%s %d:%d", d.Type, d.Major, d.Minor), After: "none",
			Reason: "a device of the host that the profile does not list",
		})
	}
	switch {
	case len(denied) == 0:
		return nil, nil
	case c.profile.OnExcess[policy.Devices] == policy.Tighten:
		l.Devices = kept
		return changes, nil
	}
	return nil, errors.Join(c.refusal(denied, bound))
}

// itself reports whether the host's file at the path is the device that the
// request describes.
func (c devices) itself(d specs.LinuxDevice) bool {
	return c.nodes[d.Path] == host.Node{Type: d.Type, Major: d.Major, Minor: d.Minor}
}

func (c devices) refusal(denied []specs.LinuxDevice, bound bool) error {
	r := &control.Refusal{
		Control: policy.Devices, Field: "linux.devices", Policy: c.profile.Where("devices.allow"), Remedy: "leave out --device",
	}
	var paths []string
	var grants []control.Grant
	for _, d := range denied {
		switch {
		case d.Type != "c" && d.Type != "b":
			return &control.Refusal{
				Control: policy.Devices, Field: "linux.devices[" + d.Path + "]", Policy: c.profile.Where("devices.allow"),
				Reason: "it is no device by the types of the policy (c and b)", Remedy: "leave it out; a character device is of type c, and a FIFO the container can make itself",
			}
		case bound && !c.itself(d):
			return &control.Refusal{
				Control: policy.Devices, Field: "linux.devices[" + d.Path + "]", Policy: c.profile.Where("devices.allow"),
				Reason: "in a user namespace the host's own file at that path is given, and it is another device", Remedy: "name the device by its path on the host, or leave it out",
			}
		}
	}
	for _, d := range denied[:min(len(denied), listMost)] {
		paths = append(paths, d.Path)
		grants = append(grants, control.Add("devices.allow", rule(d.Type, &d.Major, &d.Minor, "rwm")))
	}
	r.Reason = "devices of the host that the profile does not list: " + strings.Join(paths, ", ")
	if more := len(denied) - listMost; more > 0 {
		r.Reason += fmt.Sprintf(" and %d more, as --privileged asks for", more)
		r.Remedy = "leave out --privileged (privileged: true)"
		grants = []control.Grant{control.Add("devices.allow", rule("c", nil, nil, "rwm")), control.Add("devices.allow", rule("b", nil, nil, "rwm"))}
	}
	return r.Granting(grants...)
}

// isDefault knows the nodes of every container (spec, config-linux.md,
// "Default Devices"). The numbers are the kernel's (devices.txt): 1:1 under
// the name of /dev/null would be the host's memory.
func isDefault(path, typ string, major, minor int64) bool {
	if typ != "c" {
		return false
	}
	switch path {
	case "/dev/null":
		return major == 1 && minor == 3
	case "/dev/zero":
		return major == 1 && minor == 5
	case "/dev/full":
		return major == 1 && minor == 7
	case "/dev/random":
		return major == 1 && minor == 8
	case "/dev/urandom":
		return major == 1 && minor == 9
	case "/dev/tty":
		return major == 5 && minor == 0
	case "/dev/console":
		return major == 5 && minor == 1
	case "/dev/ptmx":
		return major == 5 && minor == 2
	}
	return false
}

// admitted reports whether the profile lists the numbers with that access.
func admitted(p *policy.Profile, typ string, major, minor *int64, access string) bool {
	for _, a := range p.Devices.Allow {
		if a.Type == typ && covers(a.Major, major) && covers(a.Minor, minor) && strings.Trim(access, a.Access) == "" {
			return true
		}
	}
	return false
}

// covers reports whether a rule's number holds an asked one; nil is any.
func covers(rule, asked *int64) bool { return rule == nil || asked != nil && *rule == *asked }

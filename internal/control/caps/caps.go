// Package caps holds the five capability sets to the profile's ceiling.
//
// Guarantees: no set holds a capability that the profile does not grant or
// that the engine did not ask for in that set; a name that is not known is taken
// away and named, where runc would pass over it (config.md: a runtime must not
// fail for it); a process that is not root keeps only
// what its ambient set asks for, where the profile says so.
// Does not cover: what a capability that is granted can do.
// Requires: nothing of the host.
// Spec fields touched: process.capabilities.
package caps

import (
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/policy"
)

type caps struct{ rules policy.CapabilityRules }

// New makes the control of the profile.
func New(p *policy.Profile) control.Control { return caps{p.Capabilities} }

func (caps) Name() string { return policy.Capabilities }

func (c caps) Apply(s *specs.Spec) ([]control.Change, error) {
	if s.Process == nil {
		return nil, nil
	}
	have := s.Process.Capabilities
	if have == nil {
		s.Process.Capabilities = &specs.LinuxCapabilities{}
		return []control.Change{{
			Field: "process.capabilities", After: "none",
			Reason: "the engine named no capabilities, which would leave the process with all that the runtime has",
		}}, nil
	}
	allow, reason := c.rules.Max, "the profile does not grant it"
	root := s.Process.User.UID == 0
	if !root && c.rules.NonRoot == policy.NonRootAmbient {
		allow, _ = narrow(c.rules.Max, have.Ambient)
		reason = "a process that is not root keeps only what its ambient set asks for"
	}
	var changes []control.Change
	for _, set := range sets(have) {
		kept, dropped := narrow(*set.names, allow)
		if len(dropped) == 0 && len(kept) == len(*set.names) {
			continue
		}
		changes = append(changes, control.Change{
			Field:  "process.capabilities." + set.field,
			Before: strings.Join(*set.names, " "), After: orNone(kept),
			Reason: reasons(reason, dropped),
		})
		*set.names = kept
	}
	return changes, nil
}

// reasons says why names were dropped. No kernel gives what has a name that is
// not known here, and a newer one might.
func reasons(reason string, dropped []string) string {
	var foreign []string
	rest := slices.DeleteFunc(slices.Clone(dropped), func(name string) bool {
		if known(name) {
			return false
		}
		foreign = append(foreign, strconv.Quote(plain.Cut(name, longestName)))
		return true
	})
	var all []string
	if len(rest) > 0 || len(foreign) == 0 {
		all = append(all, reason+": "+meanings(rest))
	}
	if len(foreign) > 0 {
		all = append(all, "not a capability that is known: "+strings.Join(foreign, ", "))
	}
	return strings.Join(all, "; ")
}

// longestName is as much as is told of a name that is not known, in bytes.
const longestName = 64

type set struct {
	field string
	names *[]string
}

func sets(c *specs.LinuxCapabilities) []set {
	return []set{
		{"bounding", &c.Bounding},
		{"effective", &c.Effective},
		{"permitted", &c.Permitted},
		{"inheritable", &c.Inheritable},
		{"ambient", &c.Ambient},
	}
}

// narrow splits have into what allow holds, each once, and the rest.
func narrow(have, allow []string) (kept, dropped []string) {
	for _, name := range have {
		switch {
		case !slices.Contains(allow, name):
			dropped = append(dropped, name)
		case !slices.Contains(kept, name):
			kept = append(kept, name)
		}
	}
	return kept, dropped
}

func known(name string) bool {
	lower, ok := strings.CutPrefix(name, "CAP_")
	if !ok || lower != strings.ToUpper(lower) {
		return false
	}
	for _, c := range capability.ListKnown() {
		if strings.EqualFold(c.String(), lower) {
			return true
		}
	}
	return false
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// meanings says what was taken away, for the capabilities that people know
// programs by (capabilities(7)).
func meanings(names []string) string {
	var out []string
	for _, name := range names {
		if m := meaning(name); m != "" {
			out = append(out, name+" "+m)
		} else {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return "named twice"
	}
	return strings.Join(out, ", ")
}

func meaning(name string) string {
	switch name {
	case "CAP_NET_RAW":
		return "(forge packets)"
	case "CAP_MKNOD":
		return "(make device files)"
	case "CAP_AUDIT_WRITE":
		return "(write the host's audit log)"
	case "CAP_SETFCAP":
		return "(give capabilities to files)"
	case "CAP_SYS_ADMIN":
		return "(mount, and much of root's power)"
	case "CAP_SYS_PTRACE":
		return "(read other processes' memory)"
	case "CAP_SYS_MODULE":
		return "(load code into the host's kernel)"
	case "CAP_NET_ADMIN":
		return "(change network settings)"
	case "CAP_NET_BIND_SERVICE":
		return "(ports below 1024)"
	case "CAP_SYS_CHROOT":
		return "(chroot)"
	case "CAP_SETPCAP":
		return "(hand on capabilities)"
	case "CAP_FSETID":
		return "(keep setuid bits on write)"
	}
	return ""
}

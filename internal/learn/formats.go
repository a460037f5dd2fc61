package learn

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/egress"
)

// Seccomp is the profile's calls as an OCI filter, without tests of arguments: for
// a tool that knows no tables. All other calls answer ENOSYS.
func (p *Profile) Seccomp() ([]byte, error) {
	const enosys, eperm = 38, 1
	no, refused := uint(enosys), uint(eperm)
	s := specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: &no}
	var names []string
	for _, l := range slices.Concat(p.Calls, p.Allow, p.Margin) {
		if name, _, _ := parseCall(l.Value); !slices.Contains(names, name) && name != "clone" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	const namespaces = 0x7e020000 // as the tables have it: no clone in a namespace of its own
	s.Syscalls = []specs.LinuxSyscall{
		{Names: names, Action: specs.ActAllow},
		{Names: []string{"clone"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Value: namespaces, Op: specs.OpMaskedEqual}}},
	}
	if len(p.Deny) > 0 {
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Names: p.Deny, Action: specs.ActErrno, ErrnoRet: &refused})
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("seccomp: %w", err)
	}
	return append(out, '\n'), nil
}

// Apparmor is an AppArmor profile of the programs, the capabilities and the places
// that were seen. A path that is not plain is left out and told.
func (p *Profile) Apparmor() ([]byte, error) {
	w := &writer{}
	w.line(0, "# Learned from %d runs, %s to %s.", p.From.Runs, stamp(p.From.First), stamp(p.From.Last))
	w.line(0, "abi <abi/3.0>,")
	w.line(0, "profile %s flags=(attach_disconnected,mediate_deleted) {", p.Name)
	w.line(1, "/ r,")
	w.line(1, "/** rmlk,")
	w.line(1, "signal,")
	w.line(1, "unix,")
	w.line(1, "ptrace (trace,read) peer=%s,", p.Name)
	if len(p.Egress)+len(p.Ingress) > 0 || !p.Network {
		w.line(1, "network inet,")
		w.line(1, "network inet6,")
	}
	w.line(1, "network netlink raw,")
	for _, c := range p.Capabilities {
		w.line(1, "capability %s, # %s", strings.ToLower(strings.TrimPrefix(c.Value, "CAP_")), c.about())
	}
	for _, name := range sorted(p.From.Programs) {
		w.path(name, "ix", p.From.Programs[name])
	}
	for _, table := range []Table{p.From.Writes, p.From.Volumes} {
		for _, place := range sorted(table) {
			w.path(path.Join(place, "**"), "w", table[place])
		}
	}
	w.line(1, "/dev/** w,")
	w.line(1, "/proc/*/** w,")
	w.line(1, "deny /proc/sys/** w,")
	w.line(1, "deny /proc/sysrq-trigger rwklx,")
	w.line(1, "deny /sys/** w,")
	w.line(0, "}")
	return w.b.Bytes(), nil
}

// path writes a rule for a path, where AppArmor reads it as it is.
func (w *writer) path(name, access string, s Seen) {
	plain := strings.TrimSuffix(name, "/**")
	if !isPath(plain) || strings.Contains(plain, "@") {
		w.line(1, "# left out: %s: %s", quoted(name), s.evidence())
		return
	}
	w.line(1, "%s %s, # %s", name, access, s.evidence())
}

// NetworkPolicy is a NetworkPolicy of Kubernetes. It knows no names: those are told.
func (p *Profile) NetworkPolicy() ([]byte, error) {
	w := &writer{}
	w.line(0, "# Learned from %d runs, %s to %s.", p.From.Runs, stamp(p.From.First), stamp(p.From.Last))
	w.line(0, "apiVersion: networking.k8s.io/v1")
	w.line(0, "kind: NetworkPolicy")
	w.line(0, "metadata: {name: %s}", strings.NewReplacer(".", "-", "_", "-").Replace(p.Name))
	w.line(0, "spec:")
	w.line(1, "podSelector: {} # every pod of the namespace: name yours")
	w.line(1, "policyTypes: [Ingress, Egress]")
	w.peers("ingress", "from", p.Ingress)
	w.peers("egress", "to", p.Egress)
	return w.b.Bytes(), nil
}

func (w *writer) peers(key, direction string, lines []Line) {
	var rules bytes.Buffer
	for _, l := range lines {
		e, err := egress.Parse(l.Value)
		switch {
		case err != nil:
		case e.Group == "dns":
			fmt.Fprintf(&rules, "    - ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}] # %s\n", l.about())
		case e.Prefix.IsValid():
			fmt.Fprintf(&rules, "    - {%s: [{ipBlock: {cidr: \"%s\"}}], ports: [{port: %d, protocol: %s}]} # %s\n",
				direction, e.Prefix, e.Ports.Low, strings.ToUpper(string(e.Proto)), l.about())
		default:
			fmt.Fprintf(&rules, "    # a NetworkPolicy has no names: %s: %s\n", quoted(l.Value), l.about())
		}
	}
	if !strings.Contains(rules.String(), "    - ") {
		w.line(1, "%s: []", key)
	} else {
		w.line(1, "%s:", key)
	}
	w.b.Write(rules.Bytes())
}

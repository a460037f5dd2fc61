package learn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/seccomp"
)

var errCallsOnly = errors.New("the recording holds calls and programs alone (learn --log): it makes a policy or a seccomp filter, and nothing for files and the network")

// Seccomp is the profile's calls as an OCI filter, for a tool that knows no tables:
// each with the arguments that the table admits. All other calls answer ENOSYS.
func (p *Profile) Seccomp() ([]byte, error) {
	const enosys, eperm = 38, 1
	no, refused := uint(enosys), uint(eperm)
	s := specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: &no}
	admitted := map[string]seccomp.Set{}
	for _, l := range slices.Concat(p.Calls, p.Margin) {
		name, _, _ := parseCall(l.Value)
		admitted[name] = p.grants.Allows(name)
	}
	for _, l := range p.Allow {
		admitted[l.Value] = seccomp.Always()
	}
	var always []string
	var some []specs.LinuxSyscall
	for _, name := range slices.Sorted(keys(admitted)) {
		if admitted[name].Always() {
			always = append(always, name)
			continue
		}
		for _, args := range admitted[name].Args() {
			some = append(some, specs.LinuxSyscall{Names: []string{name}, Action: specs.ActAllow, Args: args})
		}
	}
	s.Syscalls = append([]specs.LinuxSyscall{{Names: always, Action: specs.ActAllow}}, some...)
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
	if p.From.CallsOnly {
		return nil, errCallsOnly
	}
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
		w.path(name, "", "ix", p.From.Programs[name])
	}
	for _, table := range []Table{p.From.Writes, p.From.Volumes} {
		for _, place := range sorted(table) {
			w.path(place, "/**", "w", table[place])
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

// path writes a rule for a path and what is below it, where AppArmor reads the path
// as it is. A pattern in the name of a file is not one of ours.
func (w *writer) path(name, below, access string, s Seen) {
	if !isPath(name) || strings.Contains(name, "@") || name == "/" {
		w.line(1, "# left out: %s: %s", quoted(name+below), s.evidence())
		return
	}
	w.line(1, "%s%s %s, # %s", name, below, access, s.evidence())
}

// NetworkPolicy is a NetworkPolicy of Kubernetes. It knows no names: those are told.
func (p *Profile) NetworkPolicy() ([]byte, error) {
	if p.From.CallsOnly {
		return nil, errCallsOnly
	}
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

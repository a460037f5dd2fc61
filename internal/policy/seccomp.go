package policy

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/hatchdog/hatchdog/internal/seccomp"
)

// SeccompTable names a table of system calls.
type SeccompTable string

// The tables, from wide to narrow.
const (
	TableNone       SeccompTable = "none" // the spec's own filter, whatever it is
	TableBaseline   SeccompTable = "baseline"
	TableRestricted SeccompTable = "restricted"
	TableUntrusted  SeccompTable = "untrusted"
)

// SeccompRules says which system calls a container may make.
type SeccompRules struct {
	Table SeccompTable `json:"table"`
	// Architectures are admitted beyond the host's own, as the spec names them
	// (SCMP_ARCH_X86), where the spec's filter has them too.
	Architectures []string `json:"architectures"`
	// Allow lists calls that are admitted beyond the table's, whatever their
	// arguments, Deny calls that are not.
	Allow []string `json:"allow"`
	Deny  []string `json:"deny"`
	// Listeners are the sockets of supervisors (SCMP_ACT_NOTIFY) that a filter may
	// name: the low-level runtime sends the filter there as the host's root.
	Listeners []string `json:"listeners"`
	// Log true has the kernel log what the filter denies.
	Log bool `json:"log"`
}

func seccompTables() []string {
	return []string{string(TableNone), string(TableBaseline), string(TableRestricted), string(TableUntrusted)}
}

func meetSeccomp(a, b SeccompRules) SeccompRules {
	order := seccompTables()
	table := a.Table
	if slices.Index(order, string(b.Table)) > slices.Index(order, string(a.Table)) {
		table = b.Table
	}
	return SeccompRules{
		Table: table, Architectures: common(a.Architectures, b.Architectures),
		Allow: common(a.Allow, b.Allow), Deny: union(a.Deny, b.Deny), Listeners: common(a.Listeners, b.Listeners), Log: a.Log || b.Log,
	}
}

// checkSeccomp refuses names that do not exist and rules that contradict.
func checkSeccomp(r *reader, n *yaml.Node, s SeccompRules) {
	if len(s.Allow)+len(s.Deny)+len(s.Architectures) == 0 && !s.Log {
		return
	}
	if s.Table == TableNone {
		r.fail(n, "seccomp.table", string(TableBaseline), "none leaves the engine's filter alone: allow, deny, architectures and log would mean nothing")
	}
	known := func(key string, names, have []string) {
		for _, name := range names {
			if !slices.Contains(have, name) {
				r.fail(n, "seccomp."+key, nearest(name, have), "%q is not known", name)
			}
		}
	}
	calls := seccomp.Calls()
	known("allow", s.Allow, calls)
	known("deny", s.Deny, calls)
	known("architectures", s.Architectures, seccomp.ArchNames())
	for _, name := range s.Allow {
		if slices.Contains(s.Deny, name) {
			r.fail(n, "seccomp.deny", "", "%q is in allow too", name)
		}
	}
}

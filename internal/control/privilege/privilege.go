// Package privilege holds the attributes of a process that carry privilege to
// the profile.
//
// Guarantees: noNewPrivileges is on where the profile wants it; no hard limit
// is above its ceiling and no soft limit above its hard one; oomScoreAdj is not
// below the profile's; the umask masks what the profile masks; denied groups,
// real-time scheduling and nice values below 0 are gone; the working directory is
// none of a process's own in procfs; SELinux's labels are well formed, with at most
// two categories, and of a type that the profile lists.
// Does not cover: the user itself, the terminal; a container without a label, whose
// engine does not use SELinux.
// Requires: the limits that a process inherits, for those that are forced.
// Spec fields touched: process.noNewPrivileges, process.rlimits,
// process.oomScoreAdj, process.user.umask, process.user.additionalGids,
// process.scheduler, process.ioPriority; process.cwd, process.selinuxLabel and
// linux.mountLabel are judged.
package privilege

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// ErrTwice means that the spec gives one limit twice.
var ErrTwice = errors.New("given twice")

type privilege struct {
	rules  policy.PrivilegeRules
	where  func(key string) string
	limits map[string]host.Limit
	// further is true for a process of a container that lives, which gets that
	// one's label.
	further bool
}

// New makes the control of the profile. limits are what a process inherits that
// sets none; one that is not there is not known.
func New(p *policy.Profile, limits map[string]host.Limit) control.Control {
	return privilege{rules: p.Privilege, where: p.Where, limits: limits}
}

// Further makes the control for a further process of a container.
func Further(p *policy.Profile, limits map[string]host.Limit) control.Control {
	return privilege{rules: p.Privilege, where: p.Where, limits: limits, further: true}
}

func (privilege) Name() string { return policy.Privilege }

func (c privilege) Apply(s *specs.Spec) ([]control.Change, error) {
	p := s.Process
	if p == nil {
		return nil, nil
	}
	changes, err := c.rlimits(p)
	if err != nil {
		return nil, err
	}
	if c.rules.NoNewPrivileges && !p.NoNewPrivileges {
		p.NoNewPrivileges = true
		changes = append(changes, control.Change{
			Field: "process.noNewPrivileges", After: "true",
			Reason: "setuid programs and file capabilities cannot give more privilege than the process has",
		})
	}
	changes = append(changes, c.oom(p)...)
	changes = append(changes, c.user(&p.User)...)
	return append(changes, schedule(p)...), errors.Join(c.cwd(p), c.labels(s))
}

// cwd refuses what a process is led out of its root file system by.
func (c privilege) cwd(p *specs.Process) error {
	if !control.OfProcess(p.Cwd) {
		return nil
	}
	return &control.Refusal{
		Control: policy.Privilege, Field: "process.cwd", Reason: "a directory of procfs that is a process's own, by which containers got out (CVE-2024-21626)",
		Policy: c.where("privilege"), Remedy: "name another working directory",
	}
}

func (c privilege) rlimits(p *specs.Process) ([]control.Change, error) {
	var changes []control.Change
	seen := map[string]bool{}
	for i := range p.Rlimits {
		l := &p.Rlimits[i]
		if seen[l.Type] {
			return nil, fmt.Errorf("process.rlimits: %s: %w", l.Type, ErrTwice)
		}
		seen[l.Type] = true
		was := *l
		if rule, ok := c.rules.Rlimits[l.Type]; ok {
			l.Hard = min(l.Hard, rule.Max)
		}
		l.Soft = min(l.Soft, l.Hard)
		if *l != was {
			changes = append(changes, control.Change{
				Field: "process.rlimits[" + l.Type + "]", Before: limits(was), After: limits(*l),
				Reason: "the profile's ceiling of this limit",
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.rules.Rlimits)) {
		rule := c.rules.Rlimits[name]
		if !rule.Force || seen[name] {
			continue
		}
		l := specs.POSIXRlimit{Type: name, Hard: rule.Max, Soft: rule.Max}
		if has, known := c.limits[name]; known {
			if has.Hard <= rule.Max {
				continue // it inherits as little
			}
			l.Soft = min(has.Soft, rule.Max)
		}
		p.Rlimits = append(p.Rlimits, l)
		changes = append(changes, control.Change{
			Field: "process.rlimits[" + name + "]", After: limits(l), Reason: forced(name),
		})
	}
	return changes, nil
}

func forced(name string) string {
	switch name {
	case "RLIMIT_CORE":
		return "a core dump goes where the host says, and may hold secrets"
	case "RLIMIT_NOFILE":
		return "each open file takes memory of the kernel's own; for a program that needs more: privilege.rlimits"
	case "RLIMIT_MEMLOCK":
		return "memory that is locked cannot be taken back when the host runs short; for a program that needs more: privilege.rlimits"
	}
	return "the profile sets this limit"
}

func limits(l specs.POSIXRlimit) string {
	return strconv.FormatUint(l.Soft, 10) + "/" + strconv.FormatUint(l.Hard, 10)
}

func (c privilege) oom(p *specs.Process) []control.Change {
	if p.OOMScoreAdj == nil || *p.OOMScoreAdj >= c.rules.OOMScoreAdjMin {
		return nil
	}
	least := c.rules.OOMScoreAdjMin
	ch := control.Change{
		Field: "process.oomScoreAdj", Before: strconv.Itoa(*p.OOMScoreAdj), After: strconv.Itoa(least),
		Reason: "the kernel would kill the host's own processes before this one",
	}
	p.OOMScoreAdj = &least
	return []control.Change{ch}
}

func (c privilege) user(u *specs.User) []control.Change {
	var changes []control.Change
	if m := c.rules.Umask; m != nil {
		var was uint32 = 0o022 // what runc sets where the spec has none
		before := ""
		if u.Umask != nil {
			was = *u.Umask
			before = fmt.Sprintf("%04o", was)
		}
		if now := was | *m; now != was {
			u.Umask = &now
			changes = append(changes, control.Change{
				Field: "process.user.umask", Before: before, After: fmt.Sprintf("%04o", now),
				Reason: "the profile masks these permissions of new files",
			})
		}
	}
	var kept []uint32
	for _, g := range u.AdditionalGids {
		if slices.Contains(c.rules.DeniedGids, g) {
			changes = append(changes, control.Change{
				Field: fmt.Sprintf("process.user.additionalGids[%d]", g), Before: strconv.Itoa(int(g)), After: "none",
				Reason: "a group of the host that the profile takes away",
			})
			continue
		}
		kept = append(kept, g)
	}
	if len(kept) != len(u.AdditionalGids) {
		u.AdditionalGids = kept
	}
	return changes
}

// schedule takes away what lets a process keep others off the CPU or the disk
// (sched(7), ioprio_set(2)).
func schedule(p *specs.Process) []control.Change {
	var changes []control.Change
	if s := p.Scheduler; s != nil {
		reason := ""
		switch {
		case s.Policy == specs.SchedFIFO, s.Policy == specs.SchedRR, s.Policy == specs.SchedDeadline:
			reason = "a real-time process can keep the host's own off the CPU"
		case s.Nice < 0:
			reason = "a process with a nice value below 0 is served before the host's own"
		}
		if reason != "" {
			changes = append(changes, control.Change{Field: "process.scheduler", Before: string(s.Policy), After: "none", Reason: reason})
			p.Scheduler = nil
		}
	}
	if io := p.IOPriority; io != nil && io.Class == specs.IOPRIO_CLASS_RT {
		changes = append(changes, control.Change{
			Field: "process.ioPriority", Before: string(io.Class), After: "none",
			Reason: "the real-time class is served before the host's own reads and writes",
		})
		p.IOPriority = nil
	}
	return changes
}

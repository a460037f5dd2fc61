// Package doctor finds what this host lacks for hatchdog's built-in profiles, what
// follows from it, and what to do.
//
// Guarantees: a finding says what was found; a thing that could not be told is said
// to be so, and never counts as there. Examine is a function of its argument.
// Does not cover: containers that run already (hatchctl list).
// Requires: root, or some findings are "cannot be told".
// Spec fields touched: none.
package doctor

import (
	"github.com/hatchdog/hatchdog/internal/install"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// Level is how much a finding matters.
type Level string

// The levels.
const (
	OK   Level = "ok"
	Warn Level = "warn" // hatchdog works, with less than it could
	Fail Level = "fail" // containers are refused, or run without hatchdog
)

// Finding is one thing about this host.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Found string `json:"found"`
	// Means says what it does to containers, by built-in profile.
	Means string `json:"means,omitempty"`
	// Remedy is what to do; empty where nothing has to be done.
	Remedy string `json:"remedy,omitempty"`
}

// Answer is yes, no, or not known.
type Answer struct {
	Yes bool
	// Unknown says why it could not be told.
	Unknown string
}

// Host is what was found out about a host.
type Host struct {
	Kernel   string   // as uname says, "6.1.0-18-amd64"
	LSMs     []string // nil: could not be told
	AppArmor AppArmor
	CgroupV2,
	Hybrid, // both hierarchies, the limits in version 1
	CgroupSwap bool
	Controllers    []string
	UserNamespaces Answer
	MountSetattr   bool
	Nftables       Answer
	SeccompActions []string // nil: none
	Runtimes       []Runtime
	Engines        []Engine
	Policy         error // of reading it
	Weak           []policy.Weak
	Guard          Guard
}

// Runtime is a low-level runtime on this host.
type Runtime struct {
	Path, Name, Version string
	Used                bool  // the policy would take it
	Err                 error // why the policy would not
}

// Engine is an engine on this host.
type Engine struct {
	Name    string
	Version string // "" where its program says none
	install.Found
}

// Examine looks at everything.
func Examine(h Host) []Finding {
	all := []Finding{kernel(h), lsms(h), controlGroups(h), userNamespaces(h), idmap(h), nftables(h), seccomp(h), guard(h), policyFile(h)}
	all = append(all, weak(h)...)
	all = append(all, appArmor(h)...)
	all = append(all, runtimes(h)...)
	return append(all, engines(h)...)
}

// Worst is the highest level among the findings.
func Worst(all []Finding) Level {
	worst := OK
	for _, f := range all {
		if f.Level == Fail || f.Level == Warn && worst == OK {
			worst = f.Level
		}
	}
	return worst
}

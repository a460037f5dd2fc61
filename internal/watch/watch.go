// Package watch judges what containers do while they run, by what their own
// records, the kernel and the low-level runtime say of them.
//
// Guarantees: it changes nothing. An event is judged alike each time; the
// same event is told once and then counted; what a container does bounds neither
// the lines that others get nor the memory that is held: each container has its
// part, and what goes beyond is counted and is an event itself. No name that a
// container chooses reaches a line as it is.
// Does not cover: what an interpreter is told to run, libraries, code that is made
// in memory; what happens between two looks at /proc and leaves no trace;
// containers that share the host's pid namespace, except for the looks.
// Requires: root in the host's pid namespace; amd64, BTF and raw tracepoints for
// what is told by the kernel.
// Spec fields touched: none.
package watch

import (
	"time"

	"github.com/hatchdog/hatchdog/internal/plain"
	"github.com/hatchdog/hatchdog/internal/policy"
	"github.com/hatchdog/hatchdog/internal/probe"
	"github.com/hatchdog/hatchdog/internal/workload"
)

// Kind is what was detected. It is the key of the policy's detect section, except for
// the last two, which are about no container of ours.
type Kind string

// The kinds.
const (
	Escape     Kind = "escape"
	Drift      Kind = "drift"
	Capability Kind = "capability"
	Setuid     Kind = "setuid"
	Calls      Kind = "calls"
	Kernel     Kind = "kernel"
	Sockets    Kind = "sockets"
	Trace      Kind = "trace"
	Metadata   Kind = "metadata"
	Network    Kind = "network"
	Files      Kind = "files"
	Gone       Kind = "gone"
	Flood      Kind = "flood"
	Beside     Kind = "beside"
	Blind      Kind = "blind" // the watch itself did not see
)

// Severity of an alert.
type Severity string

// The severities.
const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

// The sources of evidence.
const (
	FromExec  = "tracepoint sched_process_exec"
	FromCap   = "tracepoint cap_capable"
	FromCalls = probe.CallsByTracepoint // where the kernel does not let its functions be looked at
	FromProc  = "/proc"
	FromRules = "nftables counters"
	FromFiles = "fanotify"
	FromState = "records and the low-level runtimes' state"
)

// Finding is one thing that was detected.
type Finding struct {
	Kind      Kind     `json:"kind"`
	Severity  Severity `json:"severity"`
	Technique string   `json:"technique"` // of MITRE ATT&CK
	What      string   `json:"what"`
	Source    string   `json:"source"`
	// Subject tells two findings of a kind apart.
	Subject string   `json:"-"`
	Process *Process `json:"process,omitempty"`
	// Doubt is true where it may be another container's: it is told, and not answered.
	Doubt bool `json:"doubt,omitempty"`
	by    *probe.Sight
}

// Process is who did it, as the host sees it.
type Process struct {
	Pid      int      `json:"pid"`
	UID      uint32   `json:"uid"`
	Command  string   `json:"command"`
	Ancestry []string `json:"ancestry,omitempty"` // the parent first
}

// Alert is a Finding in the audit log.
type Alert struct {
	Event     string            `json:"event"` // "alert"
	Time      time.Time         `json:"time"`
	ID        string            `json:"id,omitempty"`
	Root      string            `json:"root,omitempty"`
	Mode      policy.Mode       `json:"mode,omitempty"`
	Profile   string            `json:"profile,omitempty"`
	Container map[string]string `json:"container,omitempty"`
	Finding
	Count   uint64   `json:"count"`
	Answers []Answer `json:"answers,omitempty"`
}

// Answer is what was done.
type Answer struct {
	Answer policy.Answer `json:"answer"`
	Result string        `json:"result"`
	// After is the time from when the event was read, in milliseconds.
	After float64 `json:"afterMs"`
}

// techniques are the techniques of MITRE ATT&CK (attack.mitre.org, Containers and
// Linux) that the kinds are evidence of.
func (k Kind) technique() string {
	switch k {
	case Escape, Kernel, Calls:
		return "T1611" // Escape to Host
	case Drift:
		return "T1105" // Ingress Tool Transfer
	case Capability:
		return "T1548" // Abuse Elevation Control Mechanism
	case Setuid:
		return "T1548.001" // Setuid and Setgid
	case Sockets, Beside:
		return "T1610" // Deploy Container
	case Trace:
		return "T1055.008" // Ptrace System Calls
	case Metadata:
		return "T1552.005" // Cloud Instance Metadata API
	case Network:
		return "T1046" // Network Service Discovery
	case Files:
		return "T1554" // Compromise Host Software Binary
	case Gone:
		return "T1562.004" // Disable or Modify System Firewall
	case Flood, Blind:
		return "T1562.006" // Indicator Blocking
	}
	return ""
}

// wordMost bounds a name that a container chose, in bytes.
const wordMost = 200

// word makes a name that a container chose harmless.
func word(s string) string { return plain.Cut(plain.Line(s), wordMost) }

func found(k Kind, s Severity, source, subject, what string) Finding {
	return Finding{Kind: k, Severity: s, Technique: k.technique(), What: what, Source: source, Subject: subject}
}

// Names are what people call a container.
func Names(w workload.Workload) map[string]string {
	all := map[string]string{}
	for key, value := range map[string]string{
		"name": w.Called(), "image": w.Image, "engine": w.Engine, "pod": w.Pod, "namespace": w.Namespace,
	} {
		if value != "" {
			all[key] = word(value)
		}
	}
	return all
}

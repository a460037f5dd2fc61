// Package explain says in plain words what a decision means: what a container
// cannot do that it could, which changes take most from an attacker, whether it is
// wise to admit what was refused, and with which policy.
//
// Guarantees: it is pure. Each thing that it says a container cannot do rests on a
// change in the decision, or on the network rules of the container's ceiling.
// Does not cover: things that the request did not ask for in the first place.
// Requires: nothing.
// Spec fields touched: none.
package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hatchdog/hatchdog/internal/control"
	"github.com/hatchdog/hatchdog/internal/egress"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// metadata is where clouds keep the credentials of a machine.
const metadata = "169.254.169.254"

// Cannot lists what a container cannot do that it could as it was asked for, the
// gravest first. ceiling is nil where the record is gone.
func Cannot(changes []control.Attributed, ceiling *policy.Profile) []string {
	var all []string
	if after(changes, "linux.namespaces[user]") != "" {
		all = append(all, "become root of the host")
	}
	lost := lostCapabilities(changes)
	for _, c := range []struct{ name, means string }{
		{"CAP_SYS_MODULE", "load code into the kernel"},
		{"CAP_SYS_ADMIN", "mount file systems"},
		{"CAP_BPF", "load BPF programs"},
		{"CAP_SYS_RAWIO", "drive the host's hardware"},
		{"CAP_SYS_PTRACE", "read the memory of other processes"},
		{"CAP_DAC_READ_SEARCH", "read every file"},
		{"CAP_NET_ADMIN", "change the network's settings"},
		{"CAP_SYS_BOOT", "reboot the host"},
		{"CAP_SYS_TIME", "set the host's clock"},
		{"CAP_MKNOD", "make device nodes"},
		{"CAP_NET_RAW", "forge network packets"},
	} {
		if slices.Contains(lost, c.name) {
			all = append(all, c.means)
		}
	}
	if deniesMetadata(ceiling) {
		all = append(all, "reach "+metadata+" (the cloud's credentials)")
	}
	if after(changes, "process.noNewPrivileges") == "true" {
		all = append(all, "gain privileges by setuid programs")
	}
	all = append(all, lostCalls(changes)...)
	if n := count(changes, "linux.maskedPaths"); n > 0 {
		all = append(all, fmt.Sprintf("read %d files of the host's kernel", n))
	}
	if limit := after(changes, "linux.resources.pids.limit"); limit != "" {
		all = append(all, "start more than "+limit+" processes")
	}
	return all
}

func after(changes []control.Attributed, field string) string {
	for _, c := range changes {
		if c.Field == field {
			return c.After
		}
	}
	return ""
}

func count(changes []control.Attributed, field string) int {
	n := 0
	for _, c := range changes {
		if c.Field == field && c.Before == "" {
			n++
		}
	}
	return n
}

func lostCapabilities(changes []control.Attributed) []string {
	var lost []string
	for _, c := range changes {
		if strings.HasPrefix(c.Field, "process.capabilities.") {
			lost = append(lost, gone(c.Change)...)
		}
	}
	return lost
}

// gone are the items of a list that a change took out.
func gone(c control.Change) []string {
	kept := Items(c.After)
	return slices.DeleteFunc(Items(c.Before), func(one string) bool { return slices.Contains(kept, one) })
}

// Items are those of a list as a change has it.
func Items(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == ',' })
}

func lostCalls(changes []control.Attributed) []string {
	var all []string
	for _, c := range changes {
		if c.Field != "linux.seccomp.syscalls" || c.After != "denied" {
			continue
		}
		calls := Items(c.Before)
		for call, means := range map[string]string{"ptrace": "trace processes", "io_uring_setup": "use io_uring"} {
			if slices.Contains(calls, call) {
				all = append(all, means)
			}
		}
	}
	slices.Sort(all)
	return all
}

// deniesMetadata asks the rules themselves.
func deniesMetadata(ceiling *policy.Profile) bool {
	if ceiling == nil {
		return false
	}
	packet := egress.Packet{Addr: netip.MustParseAddr(metadata), Port: 80, Proto: egress.TCP}
	d, err := egress.Decide(packet, ceiling.EgressPolicies(), egress.Facts{})
	return err == nil && d.Verdict == egress.Deny
}

// Section is changes that take the same kind of thing from an attacker.
type Section struct {
	Title   string
	Changes []control.Attributed
}

// Titles are those of sections, in their order.
func Titles() []string {
	return []string{
		"Ways to root", "Ways into the kernel", "The host's files and processes", "The network",
		"What the host's kernel tells", "The host's resources", "Else",
	}
}

// Sections sorts changes by what they take from an attacker, the most first.
func Sections(changes []control.Attributed) []Section {
	all := make([]Section, 0, len(Titles()))
	for _, title := range Titles() {
		all = append(all, Section{Title: title})
	}
	for _, c := range changes {
		at := &all[rank(c)]
		at.Changes = append(at.Changes, c)
	}
	return slices.DeleteFunc(all, func(s Section) bool { return len(s.Changes) == 0 })
}

func rank(c control.Attributed) int {
	switch {
	case c.Field == "linux.maskedPaths", c.Field == "linux.readonlyPaths":
		return 4
	case strings.HasPrefix(c.Field, "process.rlimits"), c.Field == "process.oomScoreAdj":
		return 5
	}
	switch c.Control {
	case policy.UserNS, policy.Capabilities, policy.Privilege, policy.Devices:
		return 0
	case policy.Seccomp, policy.Apparmor, policy.Sysctls:
		return 1
	case policy.Mounts, policy.Namespaces, policy.Hooks:
		return 2
	case policy.Egress:
		return 3
	case policy.Resources:
		return 5
	}
	return 6
}

// Short has the paths of a list that were added as one change with their number,
// where there is more than one.
func Short(changes []control.Attributed) []control.Attributed {
	var short []control.Attributed
	at := map[string]bool{}
	for _, c := range changes {
		seen := at[c.Field]
		list := c.Before == "" && (c.Field == "linux.maskedPaths" || c.Field == "linux.readonlyPaths")
		switch n := count(changes, c.Field); {
		case !list || n < 2:
			short = append(short, c)
		case !seen:
			at[c.Field] = true
			c.After, c.Reason = fmt.Sprintf("%d paths (--all)", n), pathsReason(c.Field)
			short = append(short, c)
		}
	}
	return short
}

func pathsReason(field string) string {
	if field == "linux.maskedPaths" {
		return "they tell of the host, or act on it"
	}
	return "they hold settings of the host"
}

package userns

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/policy"
)

// A capability that something else makes worthless has a note, and no other has.
func TestCapabilitiesWithoutEffect(t *testing.T) {
	filter := func(action specs.LinuxSeccompAction, rules ...specs.LinuxSyscall) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: action, Syscalls: rules}
	}
	allow := specs.LinuxSyscall{Names: []string{"ptrace"}, Action: specs.ActAllow}
	deny := specs.LinuxSyscall{Names: []string{"ptrace"}, Action: specs.ActErrno}
	some := specs.LinuxSyscall{Names: []string{"ptrace"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo}}}
	for name, c := range map[string]struct {
		capability string
		mode       policy.UserNSMode
		filter     *specs.LinuxSeccomp
		want       string
	}{
		"the host's alone":   {"CAP_SYS_TIME", policy.UserNSAuto, nil, "user namespace alone (userns.mode: off)"},
		"without":            {"CAP_SYS_TIME", policy.UserNSOff, nil, ""},
		"in the namespace":   {"CAP_NET_ADMIN", policy.UserNSAuto, nil, ""},
		"denied":             {"CAP_SYS_PTRACE", policy.UserNSAuto, filter(specs.ActErrno), "denies ptrace"},
		"denied by name":     {"CAP_SYS_PTRACE", policy.UserNSOff, filter(specs.ActAllow, deny), "denies ptrace"},
		"allowed by name":    {"CAP_SYS_PTRACE", policy.UserNSOff, filter(specs.ActKillProcess, allow), ""},
		"for some arguments": {"CAP_SYS_PTRACE", policy.UserNSOff, filter(specs.ActAllow, some), ""},
		"both":               {"CAP_SYS_TIME", policy.UserNSAuto, filter(specs.ActErrno), "(userns.mode: off); the seccomp filter denies adjtimex"},
		"the host's pids":    {"CAP_AUDIT_CONTROL", policy.UserNSOff, nil, "pid namespace alone"},
	} {
		s := request()
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: []string{c.capability}}
		s.Linux.Seccomp = c.filter
		apply(t, profile(c.mode), able(), s)
		note := userns{profile(c.mode), able(), false}.Note(s)
		if (note == "") != (c.want == "") || !strings.Contains(note, c.want) || c.want != "" && !strings.HasPrefix(note, c.capability+" (") {
			t.Errorf("%s: %q", name, note)
		}
	}
}

// A service behind a socket sees the host's id; without a user namespace there is
// nothing to tell.
func TestWhatServicesSeeIsTold(t *testing.T) {
	for mode, want := range map[policy.UserNSMode]string{policy.UserNSAuto: "mounts[/d]: a service that asks who its peer is sees root of this container as the user 200000", policy.UserNSOff: ""} {
		s, f := request(), able()
		src := f.Sources["/v"]
		src.Socket = true
		f.Sources["/v"] = src
		apply(t, profile(mode), f, s)
		if note := (userns{profile(mode), f, false}).Note(s); !strings.HasPrefix(note, want) || want == "" && note != "" {
			t.Errorf("%s: %q", mode, note)
		}
	}
}

// The domain's name is asked for in the way that a user namespace permits.
func TestTheDomainsName(t *testing.T) {
	for name, c := range map[string]struct {
		mode          policy.UserNSMode
		runtime, have string
		want          string
		left          bool
	}{
		"moved":   {mode: policy.UserNSAuto, runtime: "1.5.2", want: "x.y"},
		"without": {mode: policy.UserNSOff, runtime: "1.5.2", left: true},
		"old":     {mode: policy.UserNSAuto, runtime: "1.1.5", left: true},
		"another": {mode: policy.UserNSAuto, runtime: "1.5.2", have: "z", want: "z", left: true},
	} {
		s, f := request(), able()
		f.Runtime.Version = c.runtime
		s.Domainname = c.have
		s.Linux.Sysctl[domainSetting] = "x.y"
		apply(t, profile(c.mode), f, s)
		if _, left := s.Linux.Sysctl[domainSetting]; s.Domainname != c.want || left != c.left {
			t.Errorf("%s: %q %v", name, s.Domainname, left)
		}
	}
}

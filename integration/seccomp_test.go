package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// viaHatchdog runs the bundle's process to its end through hatchdog and the
// real runc, under a profile, and returns what it printed.
func viaHatchdog(t *testing.T, dir, profile string) (string, int) {
	t.Helper()
	state := t.TempDir()
	policy := fmt.Sprintf("version: 1\nstateDir: %s/state\naudit: {path: %s/audit.jsonl}\nruntime: {path: %s}\nprofile: tested\nprofiles:\n  tested: %s\n",
		state, state, pinnedRunc(t), profile)
	must(t, os.WriteFile(state+"/policy.yaml", []byte(policy), 0o600))
	id := "hatchdog-" + filepath.Base(filepath.Dir(dir)) + filepath.Base(dir)
	cmd := exec.Command(tested.hatchdog, "--root", state+"/root", "--log", state+"/log", "run", "--bundle", dir, id)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+state+"/policy.yaml")
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(4*time.Minute, func() { // the container first: killing runc would leave it behind
		_, _ = run(t, pinnedRunc(t), "--root", state+"/root", "delete", "--force", id)
		_ = cmd.Process.Kill()
	})
	defer timer.Stop()
	out, _ := cmd.CombinedOutput()
	log, _ := os.ReadFile(state + "/log")
	return string(out) + string(log), cmd.ProcessState.ExitCode()
}

// editSpec changes a bundle's spec.
func editSpec(t *testing.T, dir string, edit func(*specs.Spec)) {
	t.Helper()
	raw, err := os.ReadFile(dir + "/config.json")
	must(t, err)
	var s specs.Spec
	must(t, json.Unmarshal(raw, &s))
	edit(&s)
	raw, err = json.Marshal(&s)
	must(t, err)
	must(t, os.WriteFile(dir+"/config.json", raw, 0o600))
}

// dockersFilter is the filter that Docker wrote.
func dockersFilter(t *testing.T) *specs.LinuxSeccomp {
	t.Helper()
	raw, err := os.ReadFile("testdata/specs/docker-default.json")
	must(t, err)
	var s specs.Spec
	must(t, json.Unmarshal(raw, &s))
	return s.Linux.Seccomp
}

// engineFilter is an engine's default filter.
func engineFilter(t *testing.T, name string) *specs.LinuxSeccomp {
	t.Helper()
	raw, err := os.ReadFile("../internal/seccomp/proof/testdata/engines/" + name + ".json")
	must(t, err)
	s := &specs.LinuxSeccomp{}
	must(t, json.Unmarshal(raw, s))
	return s
}

func buildProbe(t *testing.T, to string) {
	t.Helper()
	mustRun(t, "gcc", "-static", "-O1", "-Wall", "-Werror", "-o", to, "syscalls/probe.c")
}

// What comes of the calls that a table is there to stop, inside real
// containers: with no filter in the spec, and with Docker's.
func TestSeccompInsideARealContainer(t *testing.T) {
	probe := t.TempDir() + "/probe"
	buildProbe(t, probe)
	// EPERM where the table names the call, ENOSYS where it does not know it,
	// what a kernel without it answers where the arguments are refused, SIGSYS (31)
	// where the architecture is closed.
	denied := strings.Fields(`bpf=1 perf_event_open=1 io_uring_setup=1 keyctl=1 userfaultfd=1 mount=1 unshare_user=1 clone_user=1
clone3=38 setns=1 init_module=1 open_by_handle_at=1 personality_no_random=1 personality_query=0 af_alg=97 af_vsock=97
netlink_route=0 tcp=0 udp=0 af_unix=0 af_inet=0 af_inet6=0 unknown=38 getpid=0 x32_getpid=signal31 int80_getpid=signal31 tiocgwinsz=25`)
	tight := strings.Fields(`ptrace=1 af_packet=97 netlink_netfilter=93 netlink_xfrm=93 netlink_audit=93 tiocsti=5 tioclinux=25 tiocsti_upper=5
sctp=93 sctp_by_type=94 udplite=93 l2tp=93 vmsplice=38 mrelease=38`)
	tightest := []string{"futex_waitv=38"}
	for _, table := range []string{"baseline", "restricted", "untrusted"} {
		for name, filter := range map[string]*specs.LinuxSeccomp{
			"no filter": nil, "docker": dockersFilter(t), "docker 29": engineFilter(t, "docker-2.0.0-beta.24"), "podman": engineFilter(t, "podman-4.3"),
		} {
			for nnp, profile := range map[string]string{
				"nnp":    "{extends: builtin/restricted, seccomp: {table: " + table + "}}",
				"no nnp": "{extends: builtin/restricted, seccomp: {table: " + table + "}, privilege: {noNewPrivileges: false}}",
			} {
				t.Run(table+" "+name+" "+nnp, func(t *testing.T) {
					dir := makeBundle(t, "")
					must(t, exec.Command("cp", probe, dir+"/rootfs/probe").Run())
					editSpec(t, dir, func(s *specs.Spec) {
						s.Process.Args = []string{"/probe"}
						s.Process.NoNewPrivileges = false
						s.Linux.Seccomp = filter
					})
					out, code := viaHatchdog(t, dir, profile)
					if code != 0 {
						t.Fatalf("exit code %d\n%s", code, out)
					}
					got := map[string]string{}
					for line := range strings.Lines(out) {
						k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
						got[k] = strings.ReplaceAll(v, " ", "")
					}
					want := denied
					if table != "baseline" {
						want = append(want[:len(want):len(want)], tight...)
					}
					if table == "untrusted" {
						want = append(want, tightest...)
					}
					for _, w := range want {
						k, v, _ := strings.Cut(w, "=")
						if got[k] != v && (name != "podman" || k != "vmsplice") { // which Podman denies by name
							t.Errorf("%s: %s, want %s", k, got[k], v)
						}
					}
				})
			}
		}
	}
	// Without hatchdog the probe finds doors open, or this proves nothing.
	if out, _ := run(t, probe); !strings.Contains(out, "clone_user 0\n") || !strings.Contains(out, "int80_getpid 0\n") {
		t.Errorf("closed already:\n%s", out)
	}
}

// A capability that the profile grants opens the calls that need it, and without
// it the kernel or the table denies them.
func TestCapabilityOpensItsCalls(t *testing.T) {
	probe := t.TempDir() + "/probe"
	buildProbe(t, probe)
	for capability, calls := range map[string]string{
		"CAP_NET_RAW":         "af_packet=0",
		"CAP_NET_ADMIN":       "netlink_netfilter=0",
		"CAP_AUDIT_WRITE":     "netlink_audit=0",
		"CAP_SYS_CHROOT":      "chroot=0",
		"CAP_SYS_TIME":        "clock_settime=22", // no such clock
		"CAP_SYS_PTRACE":      "ptrace=3",         // no such process
		"CAP_SYSLOG":          "syslog=0",
		"CAP_SYS_ADMIN":       "mount=2|20|22|14 unshare_user=0|22",
		"CAP_DAC_READ_SEARCH": "open_by_handle_at=9|14|22|116",
	} {
		for _, profile := range []string{"restricted", "untrusted"} {
			for _, granted := range []bool{true, false} {
				t.Run(fmt.Sprint(capability, " ", profile, " ", granted), func(t *testing.T) {
					dir := makeBundle(t, "")
					must(t, exec.Command("cp", probe, dir+"/rootfs/probe").Run())
					editSpec(t, dir, func(s *specs.Spec) {
						s.Process.Args = []string{"/probe"}
						for _, set := range []*[]string{&s.Process.Capabilities.Bounding, &s.Process.Capabilities.Effective, &s.Process.Capabilities.Permitted} {
							*set = append(*set, capability)
						}
					})
					most := "[]"
					if granted {
						most = "[" + capability + "]"
					}
					out, code := viaHatchdog(t, dir, "{extends: builtin/"+profile+", userns: {mode: off}, egress: {default: allow, allow: [], deny: []}, capabilities: {max: "+most+"}}")
					if code != 0 {
						t.Fatalf("exit code %d\n%s", code, out)
					}
					for _, want := range strings.Fields(calls) {
						call, answers, _ := strings.Cut(want, "=")
						_, rest, _ := strings.Cut(out, "\n"+call+" ")
						got, _, _ := strings.Cut(rest, "\n")
						if slices.Contains(strings.Split(answers, "|"), got) != granted {
							t.Errorf("%s: %s", call, got)
						}
					}
				})
			}
		}
	}
}

// An administrator's own exceptions reach the kernel, and what he admits of
// other architectures does.
func TestSeccompExceptions(t *testing.T) {
	probe := t.TempDir() + "/probe"
	buildProbe(t, probe)
	dir := makeBundle(t, "")
	must(t, exec.Command("cp", probe, dir+"/rootfs/probe").Run())
	editSpec(t, dir, func(s *specs.Spec) { s.Process.Args = []string{"/probe"} })
	out, code := viaHatchdog(t, dir, "{extends: builtin/restricted, seccomp: {allow: [keyctl], deny: [getpid], architectures: [SCMP_ARCH_X86], log: true}}")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	wantLines(t, out, "keyctl 0", "getpid 1", "int80_getpid 1", "x32_getpid signal 31")
}

// What cannot be judged is not started, and the engine is told.
func TestSeccompBadInput(t *testing.T) {
	many := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range 70000 {
		many.Syscalls = append(many.Syscalls, specs.LinuxSyscall{Names: []string{fmt.Sprintf("x%d", i)}, Action: specs.ActAllow})
	}
	for name, c := range map[string]struct {
		filter *specs.LinuxSeccomp
		want   string
	}{
		"action":       {&specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_MAYBE"}, "linux.seccomp.defaultAction: unknown action"},
		"architecture": {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{"SCMP_ARCH_Z80"}}, "linux.seccomp.architectures[0]: unknown architecture"},
		"name": {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"Re ad"}, Action: specs.ActAllow},
		}}, "linux.seccomp.syscalls[0].names"},
		"operator": {&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Op: "=="}}},
		}}, "linux.seccomp.syscalls[0].args[0]: unknown operator"},
		"many rules": {many, "linux.seccomp.syscalls: too many rules"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDirect(t)
			editSpec(t, d.bundle, func(s *specs.Spec) { s.Linux.Seccomp = c.filter })
			out, code := d.create(t)
			d.wantRefused(t, out, code, c.want)
		})
	}
	// Names that nobody knows and ten thousand rules are no reason to refuse.
	d := newDirect(t)
	editSpec(t, d.bundle, func(s *specs.Spec) {
		s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: append(many.Syscalls[:10000:10000], dockersFilter(t).Syscalls...)}
	})
	if out, code := d.create(t); code != 0 || d.starts(t) != 1 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

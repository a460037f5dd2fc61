package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// untried are the capabilities that no call of this kernel shows.
var untried = map[string]string{
	"CAP_NET_BROADCAST": "no kernel asks for it (include/uapi/linux/capability.h)",
	"CAP_MAC_OVERRIDE":  "Smack alone asks for it",
	"CAP_MAC_ADMIN":     "the security modules that ask for it are not the tests' to load policy into",
}

// Each capability that is granted is used for real, with it alone and with none.
// It has an effect, or the record says that it has none and what else is needed:
// never neither, and never both.
func TestGrantedCapabilities(t *testing.T) {
	probe := t.TempDir() + "/probe"
	mustRun(t, "gcc", "-static", "-O1", "-Wall", "-Werror", "-o", probe, "capuse/probe.c")
	var all []string
	lacks := map[string]bool{} // of this machine's root
	own, err := capability.NewPid2(0)
	must(t, err)
	must(t, own.Load())
	for _, c := range capability.ListKnown() {
		name := "CAP_" + strings.ToUpper(c.String())
		all = append(all, name)
		lacks[name] = !own.Get(capability.BOUNDING, c)
	}
	plain, _ := useCapabilities(t, probe, slices.DeleteFunc(slices.Clone(all), func(name string) bool { return lacks[name] }), "")
	for name, keys := range map[string]string{
		"without a user namespace":       "userns: {mode: off}",
		"in a user namespace":            "userns: {mode: required}",
		"in a user namespace with calls": "userns: {mode: required}, seccomp: {table: baseline, allow: [clone3, bpf, perf_event_open, reboot, acct, iopl]}",
		"calls denied":                   "userns: {mode: off}, seccomp: {table: baseline, deny: [ptrace, mount, syslog, chroot, reboot]}",
	} {
		t.Run(name, func(t *testing.T) {
			has := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return lacks[name] && strings.Contains(keys, "mode: off") })
			results, notes := useCapabilities(t, probe, has, keys)
			for _, capability := range all {
				name := strings.ToLower(strings.TrimPrefix(capability, "CAP_"))
				was, tried := results[name]
				if tried == (untried[capability] != "") {
					t.Errorf("%s is tried: %v, and excused: %q", capability, tried, untried[capability])
				}
				noted := strings.Contains(notes, capability+" (")
				switch {
				case !tried:
				case denied(plain[name][0]):
					t.Logf("%s: under runc alone, with no filter and no user namespace, the kernel of this machine says %d", capability, plain[name][0])
				case !slices.Contains(has, capability):
					t.Logf("%s: root of this machine does not have it", capability)
				case noted != denied(was[0]):
					t.Errorf("%s: the kernel says %d, and the record has a note on it: %v", capability, was[0], noted)
				case !denied(was[0]) && !denied(was[1]):
					t.Errorf("%s: it works without, so that this proves nothing: %d %d", capability, was[0], was[1])
				}
			}
		})
	}
}

// denied knows EPERM, EACCES, ENOSYS, ECONNREFUSED (audit outside of the host's
// user namespace) and a deadly signal.
func denied(errno int) bool {
	return errno == 1 || errno == 13 || errno == 38 || errno == 111 || errno > 1000
}

// useCapabilities runs the probe with all capabilities, and gives what it says
// and the notes of the record. Without keys it runs under runc alone.
func useCapabilities(t *testing.T, probe string, all []string, keys string) (map[string][2]int, string) {
	t.Helper()
	dir, state := makeBundle(t, ""), t.TempDir()
	must(t, os.Chmod(state, 0o755)) //nolint:gosec // the container's root passes through
	must(t, os.Chmod(filepath.Dir(state), 0o755))
	must(t, exec.Command("cp", probe, dir+"/rootfs/probe").Run())
	must(t, os.MkdirAll(dir+"/rootfs/t", 0o755))
	must(t, os.MkdirAll(dir+"/rootfs/mnt", 0o755))
	editSpec(t, dir, func(s *specs.Spec) {
		s.Process.Args = []string{"/probe"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/t", Type: "tmpfs", Source: "tmpfs"})
	})
	policy := fmt.Sprintf("version: 1\nstateDir: %s/state\nids: {dir: %s/ids}\naudit: {path: %s/audit.jsonl}\nruntime: {path: %s}\nprofile: p\nprofiles:\n  p: {extends: builtin/baseline, egress: {default: allow, allow: [], deny: []}, capabilities: {max: [%s]}, %s}\n",
		state, state, state, pinnedRunc(t), strings.Join(all, ", "), keys)
	must(t, os.WriteFile(state+"/policy.yaml", []byte(policy), 0o600))
	program := tested.hatchdog
	if keys == "" {
		program = pinnedRunc(t)
	}
	cmd := exec.Command(program, "--root", state+"/root", "run", "--bundle", dir, "hatchdog-caps-"+filepath.Base(dir))
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+state+"/policy.yaml")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	results := map[string][2]int{}
	for line := range strings.Lines(string(out)) {
		var name string
		var with, without int
		if n, err := fmt.Sscan(line, &name, &with, &without); n == 3 && err == nil {
			results[name] = [2]int{with, without}
		}
	}
	if keys == "" {
		return results, ""
	}
	return results, read(t, state+"/audit.jsonl")
}

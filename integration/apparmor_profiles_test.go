package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moby/sys/capability"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

// looseBundle is a container that nothing holds back: all capabilities, no
// seccomp, the host's processes, /proc and /sys writable. It runs curious.
func looseBundle(t *testing.T, profile string, args ...string) string {
	t.Helper()
	dir := makeBundle(t, "true")
	curious, err := os.ReadFile(filepath.Join(tested.dir, "bin", "curious"))
	must(t, err)
	must(t, os.WriteFile(dir+"/rootfs/bin/curious", curious, 0o755))
	for _, d := range []string{"m", "n", "tmp"} {
		must(t, os.MkdirAll(dir+"/rootfs/"+d, 0o755))
	}
	withSpec(t, dir, func(s *specs.Spec) {
		all := allCaps(t)
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
		s.Process.NoNewPrivileges, s.Process.ApparmorProfile = false, profile
		s.Process.Args = append([]string{"/bin/curious"}, args...)
		s.Linux.MaskedPaths, s.Linux.ReadonlyPaths, s.Linux.Seccomp = nil, nil, nil
		s.Linux.Resources = nil
		var kept []specs.LinuxNamespace
		for _, ns := range s.Linux.Namespaces {
			if ns.Type != specs.PIDNamespace {
				kept = append(kept, ns)
			}
		}
		s.Linux.Namespaces = kept
		for i, m := range s.Mounts {
			if m.Destination == "/sys" {
				s.Mounts[i].Options = []string{"nosuid", "noexec", "nodev"}
			}
		}
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup"},
			specs.Mount{Destination: "/m", Type: "tmpfs", Source: "t"}, specs.Mount{Destination: "/n", Type: "tmpfs", Source: "t"})
	})
	return dir
}

// allCaps are the capabilities of this kernel.
func allCaps(t *testing.T) []string {
	t.Helper()
	last, err := capability.LastCap()
	must(t, err)
	var names []string
	for _, c := range capability.ListKnown() {
		if c <= last {
			names = append(names, "CAP_"+strings.ToUpper(c.String()))
		}
	}
	return names
}

func withSpec(t *testing.T, dir string, edit func(*specs.Spec)) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, bundle.Config))
	must(t, err)
	var s specs.Spec
	must(t, json.Unmarshal(raw, &s))
	edit(&s)
	raw, err = json.Marshal(&s)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, bundle.Config), raw, 0o600))
}

// attempts runs what curious tries under a profile.
func attempts(t *testing.T, profile string) map[string]string {
	t.Helper()
	out := runIn(t, looseBundle(t, profile, "lsm"))
	results := map[string]string{}
	if err := json.Unmarshal([]byte(out), &results); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return results
}

// unlimitedLog lifts the kernel's limit on messages for the test.
func unlimitedLog(t *testing.T) {
	t.Helper()
	const limit = "/proc/sys/kernel/printk_ratelimit"
	was, err := os.ReadFile(limit)
	must(t, err)
	must(t, os.WriteFile(limit, []byte("0"), 0))
	t.Cleanup(func() { must(t, os.WriteFile(limit, was, 0)) })
}

// denials are what the kernel has logged of a profile.
func denials(t *testing.T, profile string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(mustRun(t, "dmesg")) {
		if strings.Contains(line, `apparmor="DENIED"`) && strings.Contains(line, `profile="`+profile+`"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func TestAppArmorProfiles(t *testing.T) {
	require(t, "apparmor")
	unlimitedLog(t)
	mustRun(t, tested.hatchctl, "apparmor", "load")
	const b, r, u = "hatchdog-baseline ", "hatchdog-restricted ", "hatchdog-untrusted "
	const all = b + r + u
	// What each profile denies, and what the kernel's log has of it.
	denied := map[string][2]string{
		"write panic":              {all, `name="/proc/sys/kernel/panic"`},
		"write shmmni":             {all, `name="/proc/sys/kernel/shmmni"`},
		"write ip_forward":         {all, `name="/proc/sys/net/ipv4/ip_forward"`},
		"write sysrq":              {all, `name="/proc/sysrq-trigger"`},
		"write irq":                {all, `name="/proc/irq/default_smp_affinity"`},
		"read kcore":               {all, `name="/proc/kcore"`},
		"read kallsyms":            {all, `name="/proc/kallsyms"`},
		"write sysfs":              {all, `name="/sys/bus/platform/drivers_autoprobe"`},
		"write cgroup":             {r + u, `name="/sys/fs/cgroup/cgroup.procs"`},
		"mount":                    {all, `operation="mount"`},
		"umount":                   {all, `operation="umount"`},
		"pivot_root":               {all, `operation="pivotroot"`},
		"chroot":                   {u, `capname="sys_chroot"`},
		"mknod":                    {r + u, `capname="mknod"`},
		"set the clock":            {all, `capname="sys_time"`},
		"set the host name":        {r + u, `capname="sys_admin"`},
		"inet raw":                 {all, `family="inet" sock_type="raw"`},
		"packet":                   {all, `family="packet"`},
		"alg":                      {all, `family="alg"`},
		"read the memory of PID 1": {all, `operation="ptrace"`},
		"signal PID 1":             {all, `operation="signal"`},
		"leave the profile":        {all, `operation="change_profile"`},
		"inet stream":              {},
		"inet dgram":               {},
		"inet6 stream":             {},
		"unix":                     {},
		"netlink":                  {},
		"read status":              {},
		"read sysfs":               {},
		"write comm":               {},
		"write a file":             {},
		"see and signal a child":   {},
	}
	free := attempts(t, "")
	for what := range denied {
		if free[what] != "ok" && what != "leave the profile" {
			t.Errorf("%s without a profile: %s: its denial would prove nothing", what, free[what])
		}
	}
	for _, profile := range strings.Fields(all) {
		got := attempts(t, profile)
		log := ""
		missing := func() []string { // the kernel writes its log behind
			log = denials(t, profile)
			var all []string
			for what, d := range denied {
				// Where the capability is gone the kernel asks for it first.
				byCap := (what == "umount" || what == "pivot_root") && strings.Contains(log, `capname="sys_admin"`)
				if strings.Contains(d[0], profile+" ") && !strings.Contains(log, d[1]) && !byCap {
					all = append(all, what)
				}
			}
			return all
		}
		// What it drops under load is there when it is tried again.
		for range 3 {
			for end := time.Now().Add(10 * time.Second); len(missing()) > 0 && time.Now().Before(end); time.Sleep(time.Second) {
			}
			if len(missing()) == 0 {
				break
			}
			attempts(t, profile)
		}
		if left := missing(); len(left) > 0 {
			t.Errorf("%s: not in the kernel's log: %v", profile, left)
		}
		if got["label"] != profile+" (enforce)" || len(got) != len(denied)+1 {
			t.Errorf("%s: %d results, label %s", profile, len(got), got["label"])
		}
		for what, d := range denied {
			no := strings.Contains(d[0], profile+" ")
			if no && got[what] != "EACCES" && got[what] != "EPERM" || !no && got[what] != "ok" {
				t.Errorf("%s: %s: %s", profile, what, got[what])
			}
		}
		if t.Failed() {
			t.Logf("%s: %v\n%s", profile, got, log)
		}
	}
}

// Whatever Docker's own profile denies, ours denies: the order says so.
func TestAppArmorIsStricterThanDockers(t *testing.T) {
	require(t, "apparmor")
	dockers[0].start(t) // it loads its profile
	dockers := attempts(t, "docker-default")
	if dockers["label"] != "docker-default (enforce)" {
		t.Fatal(dockers["label"])
	}
	for _, profile := range []string{"hatchdog-baseline", "hatchdog-restricted", "hatchdog-untrusted"} {
		for what, got := range attempts(t, profile) {
			if got == "ok" && dockers[what] != "ok" {
				t.Errorf("%s: %s is ok, under docker-default %s", profile, what, dockers[what])
			}
		}
	}
}

func TestAppArmorUnderCrun(t *testing.T) {
	require(t, "apparmor", "crun")
	mustRun(t, tested.hatchctl, "apparmor", "load")
	dir := looseBundle(t, "hatchdog-untrusted", "lsm")
	withSpec(t, dir, func(s *specs.Spec) { s.Version = "1.0.2" })
	out, err := exec.Command("crun", "--root", t.TempDir(), "run", "--bundle", dir, "hatchdog-crun").CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"label":"hatchdog-untrusted (enforce)"`) || !strings.Contains(string(out), `"mount":"EACCES"`) {
		t.Errorf("%v: %s", err, out)
	}
}

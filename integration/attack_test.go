package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
)

// newPinned is newDirect with the pinned runc, whose containers really run.
func newPinned(t *testing.T, command string) *direct {
	t.Helper()
	d := newDirect(t)
	d.bundle = makeBundle(t, command)
	must(t, os.Remove(d.dir+"/runc"))
	must(t, os.Symlink(pinnedRunc(t), d.dir+"/runc"))
	return d
}

func (d *direct) edit(t *testing.T, f func(*specs.Spec)) {
	t.Helper()
	file := filepath.Join(d.bundle, bundle.Config)
	var s specs.Spec
	must(t, json.Unmarshal([]byte(read(t, file)), &s))
	f(&s)
	out, err := json.Marshal(&s)
	must(t, err)
	must(t, os.WriteFile(file, out, 0o600))
}

func bindTo(dest, source string, options ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Mounts = append(s.Mounts, specs.Mount{Destination: dest, Type: "bind", Source: source, Options: options})
	}
}

// Requests that once got through. Each is refused, and runs nothing.
func TestHostileSpecs(t *testing.T) {
	own := t.TempDir()
	for name, c := range map[string]struct {
		edit func(*specs.Spec)
		why  string
	}{
		"a remount that makes a read-only mount of the host's writable": {func(s *specs.Spec) {
			bindTo("/u", "/usr/share", "rbind")(s)
			bindTo("/u", own, "bind", "remount", "rw")(s)
		}, "remount changes a mount"},
		"the host's root as the container's":   {func(s *specs.Spec) { s.Root.Path = "/" }, "root.path"},
		"programs of the host as its root":     {func(s *specs.Spec) { s.Root.Path = "/usr" }, "root.path"},
		"the root control group":               {func(s *specs.Spec) { s.Linux.CgroupsPath = "/." }, "cgroupsPath"},
		"another pod's secrets":                {bindTo("/s", "/var/lib/kubelet", "rbind"), "mounts[/s].source"},
		"the descriptors of the engine":        {bindTo("/s", "/proc/self/fd", "rbind"), "mounts[/s].source"},
		"the container's root by another name": {bindTo("/s", "/proc/self/root", "rbind"), "mounts[/s].source"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newPinned(t, "echo ran")
			d.edit(t, c.edit)
			out, code := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
			if code == 0 || strings.Contains(out, "ran\n") || !strings.Contains(out, c.why) {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
}

// A link of procfs leads elsewhere in runc, whose working directory is the
// bundle.
func TestLinkOfProcfsIsHeldOpen(t *testing.T) {
	d := newPinned(t, "ls /x")
	d.edit(t, bindTo("/x", "/proc/self/cwd", "rbind"))
	must(t, os.Symlink("sh", d.bundle+"/rootfs/bin/ls"))
	here := t.TempDir()
	must(t, os.WriteFile(here+"/examined", nil, 0o600))
	cmd := d.command(nil, "run", "--bundle", d.bundle, "c1")
	cmd.Dir = here
	out, err := cmd.CombinedOutput()
	if strings.TrimSpace(string(out)) != "examined" {
		t.Errorf("%v: %s", err, out)
	}
}

// What a mask leaves: programs go on, the host's secrets do not.
func TestClosedPathsInside(t *testing.T) {
	d := newPinned(t, "for f in /proc/modules /proc/cmdline /proc/kallsyms /proc/kcore /proc/kmsg; do grep -c . $f; done;"+
		"for f in /proc/meminfo /proc/cpuinfo /proc/stat /proc/loadavg /proc/uptime /proc/filesystems /proc/cgroups /proc/vmstat; do grep -q . $f || echo no $f; done;"+
		"for d in /sys/module /sys/kernel/slab /sys/power; do [ -d $d ] && echo $d/*; done;"+
		"[ -e /sys/kernel/mm ] && [ -e /sys/devices/system/cpu/online ] && echo open")
	out, _ := d.call(t, nil, "run", "--bundle", d.bundle, "c1")
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		ok := line == "0" || line == "open" || strings.HasSuffix(line, "/*") || strings.Contains(line, "No such file")
		if !ok {
			t.Errorf("%q in\n%s", line, out)
		}
	}
	if !strings.Contains(out, "open") || strings.Count(out, "\n") < 7 {
		t.Error(out)
	}
}

// A further process has the container's limits, where runc would give it the
// engine's.
func TestExecKeepsTheContainersLimits(t *testing.T) {
	d := newPinned(t, "while :; do :; done")
	d.edit(t, func(s *specs.Spec) {
		s.Process.Args = []string{"/bin/sh", "-c", "trap exit TERM; while :; do read x </dev/zero; done"}
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 77, Soft: 66}}
	})
	// The container keeps the descriptors: no pipe, or nobody would see its end.
	must(t, d.command(nil, "run", "--detach", "--bundle", d.bundle, "c1").Run())
	t.Cleanup(func() { d.call(t, nil, "delete", "--force", "c1") })
	for name, limits := range map[string]string{"none": "", "others": `"rlimits":[{"type":"RLIMIT_FSIZE","hard":1000000,"soft":1000000}],`} {
		file := filepath.Join(t.TempDir(), "process.json")
		must(t, os.WriteFile(file, []byte(`{`+limits+`"args":["/bin/grep","-E","open files|core file","/proc/self/limits"],"cwd":"/","user":{"uid":0,"gid":0}}`), 0o600))
		out, _ := d.call(t, nil, "exec", "--process", file, "c1")
		fields := strings.Fields(out)
		if len(fields) != 13 || fields[4] != "0" || fields[10] != "77" {
			t.Errorf("%s: %s", name, out)
		}
	}
}

package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/hatchdog/hatchdog/internal/bundle"
	"github.com/hatchdog/hatchdog/internal/host"
	"github.com/hatchdog/hatchdog/internal/plan"
	"github.com/hatchdog/hatchdog/internal/policy"
)

// makeBundle makes a bundle that runs a shell command in a root file system of
// busybox, from the spec that ctr writes.
func makeBundle(t *testing.T, command string) string {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "rootfs", "bin")
	for _, d := range []string{bin, dir + "/rootfs/proc", dir + "/rootfs/sys", dir + "/rootfs/dev"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "grep"} {
		if err := os.WriteFile(filepath.Join(bin, name), busybox, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("testdata/specs/ctr-default.json")
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	s.Process.Args = []string{"/bin/sh", "-c", command}
	s.Root.Path = "rootfs"
	s.Linux.CgroupsPath = "/hatchdog-test-" + filepath.Base(filepath.Dir(dir)) + filepath.Base(dir)
	out, err := json.Marshal(&s)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, bundle.Config), out, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tighten applies the profile to the bundle, as a create will.
func tighten(t *testing.T, dir, profile string) {
	t.Helper()
	pol, err := policy.Default()
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var after specs.Spec
	if err := json.Unmarshal(b.Document().Raw, &after); err != nil {
		t.Fatal(err)
	}
	names := []string{"pid", "network", "mount", "ipc", "uts", "cgroup", "time"}
	facts := host.Facts{
		Kernel: host.Kernel{Namespaces: names}, Runtime: host.Runtime{Namespaces: names},
		Cgroup: host.Cgroup{Controllers: []string{"pids", "memory", "cpu"}},
	}
	held := *pol.Profiles[profile]
	held.UserNS.Mode = policy.UserNSOff // it needs host work, which has tests of its own
	res, err := plan.New(&held, facts, plan.Options{}).Apply(&after)
	if err != nil || len(res.Refusals) > 0 {
		t.Fatalf("%v %v", res.Refusals, err)
	}
	doc, err := b.Document().With(&after)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, bundle.Config), doc.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func runIn(t *testing.T, dir string) string {
	t.Helper()
	cmd := exec.Command(pinnedRunc(t), "--root", t.TempDir(), "run", "--bundle", dir, "hatchdog-test")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("runc: %v: %s", err, errs.String())
	}
	return out.String()
}

func TestProfilesInsideARealContainer(t *testing.T) {
	const look = "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; grep 'Max core' /proc/self/limits"
	for profile, caps := range map[string]string{
		"builtin/baseline":   "00000000000405fb", // ten capabilities (capability.h)
		"builtin/restricted": "00000000000000eb", // chown, dac_override, fowner, kill, setgid, setuid
		"builtin/untrusted":  "0000000000000000",
	} {
		t.Run(profile, func(t *testing.T) {
			dir := makeBundle(t, look)
			tighten(t, dir, profile)
			got := runIn(t, dir)
			for _, want := range []string{"CapEff:\t" + caps, "CapBnd:\t" + caps, "NoNewPrivs:\t1", "Max core file size        0                    0 "} {
				if !strings.Contains(got, want) {
					t.Errorf("missing %q in\n%s", want, got)
				}
			}
		})
	}
	if got := runIn(t, makeBundle(t, look)); strings.Contains(got, "CapEff:\t00000000000405fb") {
		t.Errorf("the container was tight before: the test proves nothing\n%s", got)
	}
}

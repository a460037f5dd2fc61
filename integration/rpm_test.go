package integration

import (
	"os"
	"strings"
	"testing"
)

// rpm calls the host's rpm for the system, whose records it keeps where dpkg's are.
// What the package needs was put there without packages.
func (s *debian) rpm(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, "rpm", append([]string{"--root", s.dir, "--dbpath", "/var/lib/dpkg/rpm"}, args...)...)
}

// The life of the .rpm, by rpm's own hands: install, run a container, upgrade, remove.
// rpm knows no purge: what the administrator wrote stays.
func TestRPMLife(t *testing.T) {
	s := newDebian(t)
	first, second := only(t, buildPackages(t, "v0.0.1")+"/*.rpm"), only(t, buildPackages(t, "v0.0.2")+"/*.rpm")
	do := func(args ...string) {
		t.Helper()
		if out, code := s.rpm(t, args...); code != 0 || strings.Contains(out, "scriptlet failed") {
			t.Fatalf("rpm %v: %d %s", args, code, out)
		}
	}
	do("--initdb")
	do("--nodeps", "--install", first)
	wantLines(t, read(t, s.dir+containerdConfig), "# ours", `BinaryName = "/usr/bin/hatchdog"`)
	wantLines(t, read(t, s.dir+dockerConfig), `"path": "/usr/bin/hatchdog"`, `"debug": true`)
	wantLines(t, s.do(t, "hatchctl", "--version"), "0.0.1")
	wantLines(t, s.container(t, "c1", "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")

	const policy = "version: 1\nmode: enforce\nprofile: mine # mine\nprofiles:\n  mine: {extends: builtin/untrusted, userns: {mode: auto}}\n"
	must(t, os.WriteFile(s.dir+"/etc/hatchdog/policy.yaml", []byte(policy), 0o644))
	do("--nodeps", "--upgrade", second)
	wantLines(t, s.do(t, "hatchctl", "--version"), "0.0.2")
	if got := read(t, s.dir+"/etc/hatchdog/policy.yaml"); got != policy {
		t.Errorf("the upgrade changed the policy:\n%s", got)
	}
	wantLines(t, read(t, s.dir+containerdConfig), `BinaryName = "/usr/bin/hatchdog"`)
	wantLines(t, s.container(t, "c2", "grep", "CapEff", "/proc/self/status"), "CapEff:\t0000000000000000")

	s.begin(t, "c3")
	if out, _ := s.rpm(t, "--erase", "hatchdog"); !strings.Contains(out, "c3") {
		t.Errorf("removed under a container: %s", out)
	}
	wantLines(t, s.do(t, "hatchctl", "--version"), "0.0.2")
	wantLines(t, read(t, s.dir+containerdConfig), `BinaryName = "/usr/bin/hatchdog"`)
	s.end(t, "c3")

	do("--erase", "hatchdog")
	s.wantAsBefore(t, containerdConfig, dockerConfig)
	if _, err := os.Stat(s.dir + "/usr/bin/hatchdog"); err == nil {
		t.Error("it is still there")
	}
	kept, _ := os.ReadFile(s.dir + "/etc/hatchdog/policy.yaml.rpmsave")
	if string(kept) != policy {
		t.Errorf("what the administrator wrote: %q", kept)
	}
}

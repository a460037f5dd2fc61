package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// label is the AppArmor profile of a process, as the kernel says.
const label = "/proc/self/attr/current"

// The profile that lets ordinary users run boxes on Ubuntu is one that the newest
// parser takes, for a kernel that knows its rule; Debian 12's parser knows neither.
func TestProfileOfHatchctl(t *testing.T) {
	parser := cached(t, "newest-apparmor-*/apparmor_parser")
	base := filepath.Join(filepath.Dir(parser), "apparmor.d")
	parse := func(file string) (string, int) {
		return run(t, parser, "--skip-kernel-load", "--skip-cache", "--base", base, "--policy-features", base+"/abi/4.0", "--kernel-features", base+"/abi/4.0", "--names", file)
	}
	const own = "../deploy/apparmor/hatchctl"
	if out, code := parse(own); code != 0 || strings.TrimSpace(out) != "hatchctl" {
		t.Errorf("%d %s", code, out)
	}
	text := read(t, own)
	for _, want := range []string{"\n  userns,\n", "abi <abi/4.0>,", "/usr/{,local/}bin/hatchctl flags=(unconfined)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	broken := filepath.Join(t.TempDir(), "hatchctl")
	must(t, os.WriteFile(broken, []byte(strings.Replace(text, "userns,", "usernses,", 1)), 0o644))
	if out, code := parse(broken); code == 0 {
		t.Errorf("a broken one is taken: %s", out)
	}
}

func unloadAll(t *testing.T) {
	t.Helper()
	mustRun(t, tested.hatchctl, "apparmor", "unload")
}

func TestAppArmorDocker(t *testing.T) {
	require(t, "apparmor")
	eachDocker(t, appArmorDocker)
}

func appArmorDocker(t *testing.T, d *docker) {
	unloadAll(t)
	const restricted = "hatchdog-restricted (enforce)\n"
	id := d.background(t, "busybox", "sh", "-c", "trap 'echo term; exit 3' TERM; echo up; httpd -p 8080 -h /etc; while :; do sleep 0.1; done")
	waitFor(t, "its log", func() bool { return strings.Contains(d.do(t, "logs", id), "up") })
	out, _ := d.hatchctl(t, "explain", "--wide", id[:12])
	wantLines(t, out, "process.apparmorProfile", "docker-default", "hatchdog-restricted was not enforced, and was loaded")
	for _, args := range [][]string{{}, {"--privileged"}, {"-u", "1000"}} {
		if got := d.do(t, append(append([]string{"exec"}, args...), id, "cat", label)...); got != restricted {
			t.Errorf("exec %v: %s", args, got)
		}
	}
	wantLines(t, d.do(t, "exec", id, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/hostname"), id[:12])
	// Processes of the container see and signal each other.
	wantLines(t, d.do(t, "exec", id, "sh", "-c", "sleep 600 & p=$!; cat /proc/$p/environ >/dev/null && kill $p && echo KILLED"), "KILLED")
	wantLines(t, d.do(t, "top", id), "httpd")
	d.do(t, "stop", "-t", "60", id)
	wantLines(t, d.do(t, "logs", id), "term")
	wantLines(t, d.do(t, "inspect", "-f", "{{.State.ExitCode}}", id), "3")
	d.do(t, "start", id)
	d.do(t, "kill", id)
	wantLines(t, d.do(t, "inspect", "-f", "{{.State.ExitCode}}", id), "137")

	for asked, want := range map[string]string{
		"unconfined": restricted, "docker-default": restricted, "hatchdog-untrusted": "hatchdog-untrusted (enforce)\n",
	} {
		if got, code := d.run(t, "--security-opt", "apparmor="+asked, "busybox", "cat", label); code != 0 || got != want {
			t.Errorf("%s: %d %s", asked, code, got)
		}
	}
	got, code := d.run(t, "--security-opt", "apparmor=custom", "busybox", "true")
	if code == 0 {
		t.Error("a profile that nobody knows went through")
	}
	wantLines(t, got, "process.apparmorProfile: whether custom is stricter than hatchdog-restricted is not known", "apparmor.keep")
}

// A profile may be missing, or deny nothing: create loads ours.
func TestAppArmorMissing(t *testing.T) {
	require(t, "apparmor")
	eachDocker(t, appArmorMissing)
}

func appArmorMissing(t *testing.T, d *docker) {
	status := func(want string) {
		t.Helper()
		out, _ := run(t, tested.hatchctl, "apparmor", "status")
		wantLines(t, out, want)
	}
	unloadAll(t)
	status("hatchdog-restricted  not loaded")
	got, code := d.run(t, "busybox", "cat", label)
	if code != 0 || got != "hatchdog-restricted (enforce)\n" {
		t.Errorf("missing: %d %s", code, got)
	}
	complainMode(t)
	status("hatchdog-restricted  complain")
	got, code = d.run(t, "busybox", "cat", label)
	if code != 0 || got != "hatchdog-restricted (enforce)\n" {
		t.Errorf("in complain mode: %d %s", code, got)
	}
	status("hatchdog-restricted  enforce")
}

// complainMode replaces the profile by one that denies nothing.
func complainMode(t *testing.T) {
	t.Helper()
	parse(t, mustRun(t, tested.hatchctl, "apparmor", "show", "hatchdog-restricted"), "--replace", "--skip-cache", "--Complain")
}

func parse(t *testing.T, text string, args ...string) {
	t.Helper()
	cmd := exec.Command("/usr/sbin/apparmor_parser", args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// Distributions give runc a profile by name, without rules: its signals come
// from that name, and a container must take them.
func TestAppArmorSignalsOfAConfinedRuntime(t *testing.T) {
	require(t, "apparmor")
	eachDocker(t, appArmorSignalsOfAConfinedRuntime)
}

func appArmorSignalsOfAConfinedRuntime(t *testing.T, d *docker) {
	for name, works := range map[string]bool{"runc": true, "stranger": false} {
		id := d.background(t, "busybox", "sleep", "600")
		text := fmt.Sprintf("abi <abi/3.0>,\nprofile %s %s flags=(unconfined) { }\n", name, pinnedRunc(t))
		parse(t, text, "--replace", "--skip-cache")
		// Of a SIGKILL that fails dockerd would send another itself.
		out, code := d.try(t, "kill", "--signal", "CONT", id)
		parse(t, text, "--remove")
		if (code == 0) != works {
			t.Errorf("%s: %d %s", name, code, out)
		}
	}
}

// Whoever replaces or removes a profile while a container runs under it opens
// the container. status tells, load and the next create close it again, and
// our own unload does not do it.
func TestAppArmorReplacedUnderAContainer(t *testing.T) {
	require(t, "apparmor")
	eachDocker(t, appArmorReplacedUnderAContainer)
}

func appArmorReplacedUnderAContainer(t *testing.T, d *docker) {
	mustRun(t, tested.hatchctl, "apparmor", "load")
	id := d.background(t, "busybox", "sleep", "600")
	denied := func() bool {
		_, code := d.try(t, "exec", id, "head", "-c", "1", "/proc/kcore")
		return code != 0
	}
	if !denied() {
		t.Fatal("not denied at first")
	}
	complainMode(t)
	if denied() {
		t.Error("denied in complain mode: the rest proves nothing")
	}
	if out, code := run(t, tested.hatchctl, "apparmor", "status"); code != 1 || !strings.Contains(out, "complain") {
		t.Errorf("%d %s", code, out)
	}
	mustRun(t, tested.hatchctl, "apparmor", "load", "hatchdog-restricted")
	if !denied() {
		t.Error("not denied after load")
	}
	complainMode(t)
	d.run(t, "busybox", "true")
	if !denied() {
		t.Error("not denied after another create")
	}
	out, code := run(t, tested.hatchctl, "apparmor", "unload", "hatchdog-restricted")
	if code == 0 || !strings.Contains(out, "processes run under it") {
		t.Errorf("%d %s", code, out)
	}
	if !denied() {
		t.Error("not denied after a refused unload")
	}
	d.do(t, "rm", "-f", id)
	unloadAll(t)
}

// inside calls hatchdog in a mount namespace of its own that a script has
// changed before.
func (d *direct) inside(t *testing.T, script string) (string, int) {
	t.Helper()
	cmd := d.command(nil, "create", "--bundle", d.bundle, "c1")
	args := append([]string{"--mount", "--propagation", "private", "/bin/sh", "-ec", script + `; exec "$@"`, "sh"}, cmd.Args...)
	in := exec.Command("unshare", args...)
	in.Env = cmd.Env
	out, _ := in.CombinedOutput()
	return string(out), in.ProcessState.ExitCode()
}

// With the parser missing, failing, hanging or doing nothing, or without
// securityfs, restricted refuses, and baseline goes on with what the engine
// set and says so.
func TestAppArmorThatCannotBeLoaded(t *testing.T) {
	require(t, "apparmor")
	parser := func(text string) string {
		file := filepath.Join(t.TempDir(), "parser")
		must(t, os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o755))
		return fmt.Sprintf("mount --bind %s /usr/sbin/apparmor_parser; mount --bind %s /sbin/apparmor_parser", file, file)
	}
	empty := t.TempDir()
	for name, c := range map[string]struct{ script, want string }{
		"no parser":      {"mount --bind " + empty + " /usr/sbin; mount --bind " + empty + " /sbin", "apparmor_parser is not installed"},
		"parser fails":   {parser("echo no memory >&2; exit 1"), "no memory"},
		"parser hangs":   {parser("sleep 600"), "did not end within 10s"},
		"parser idles":   {parser("exit 0"), "the kernel does not agree"},
		"no securityfs":  {"umount /sys/kernel/security", "is securityfs mounted"},
		"nothing loaded": {parser("exec /bin/false"), "hatchdog-restricted is not loaded"},
	} {
		t.Run(name, func(t *testing.T) {
			unloadAll(t)
			d := newDirect(t)
			withSpec(t, d.bundle, func(s *specs.Spec) { s.Process.ApparmorProfile = "docker-default" })
			out, code := d.inside(t, c.script)
			d.wantRefused(t, out, code, c.want)
			d.setPolicy(t, "profile: baseline\n")
			if out, code := d.inside(t, c.script); code != 0 || d.starts(t) != 1 {
				t.Fatalf("baseline: %d %s", code, out)
			}
			if !strings.Contains(read(t, d.dir+"/spec"), `"apparmorProfile":"docker-default"`) {
				t.Error("baseline: the engine's profile is gone")
			}
			out = mustRun(t, tested.hatchctl, "--policy", d.policy, "explain", "c1")
			wantLines(t, out, "apparmor: ", strings.Replace(c.want, "restricted", "baseline", 1))
		})
	}
}

// A profile's name that stands for more than one profile, on any host.
func TestOddApparmorNames(t *testing.T) {
	for _, odd := range []string{"docker-default\n", "a b", ":ns:docker-default", "docker-default//&unconfined", `"x"`, "unconfined ", "\x01"} {
		d := newDirect(t)
		withSpec(t, d.bundle, func(s *specs.Spec) { s.Process.ApparmorProfile = odd })
		out, code := d.create(t)
		d.wantRefused(t, out, code, "process.apparmorProfile: the name is not a profile's alone")
	}
}

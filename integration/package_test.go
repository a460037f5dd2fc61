package integration

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// buildPackages builds both packages of a version, from programs that are
// built anew, by the project's own rules.
func buildPackages(t *testing.T, version string) string {
	t.Helper()
	bin, out := t.TempDir(), t.TempDir()
	inProject(t, "make", "-s", "build", "BIN="+bin, "VERSION="+version)
	inProject(t, "deploy/package/build.sh", cached(t, "tools/nfpm"), version, bin, out)
	return out
}

func inProject(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func only(t *testing.T, pattern string) string {
	t.Helper()
	found, _ := filepath.Glob(pattern)
	if len(found) != 1 {
		t.Fatalf("%s: %v", pattern, found)
	}
	return found[0]
}

func TestPackagesAreReproducible(t *testing.T) {
	a, b := buildPackages(t, "v0.0.1"), buildPackages(t, "v0.0.1")
	for _, kind := range []string{"hatchdog_*.deb", "hatchdog-*.rpm"} {
		x, y := only(t, a+"/"+kind), only(t, b+"/"+kind)
		first, err := os.ReadFile(x)
		must(t, err)
		second, err := os.ReadFile(y)
		must(t, err)
		if filepath.Base(x) != filepath.Base(y) || !bytes.Equal(first, second) {
			t.Errorf("two builds differ: %s %s", x, y)
		}
	}
	t.Run("rpm", func(t *testing.T) { rpmHolds(t, only(t, a+"/*.rpm"), only(t, a+"/*.deb")) })
}

// rpmHolds: the .rpm has the files of the .deb and its scripts.
func rpmHolds(t *testing.T, rpm, deb string) {
	var files []string
	for line := range strings.Lines(mustRun(t, "dpkg-deb", "-c", deb)) {
		if name := strings.Fields(line)[5]; !strings.HasSuffix(name, "/") {
			files = append(files, strings.TrimPrefix(name, "."))
		}
	}
	got := mustRun(t, "rpm", "-qpl", rpm)
	if len(files) < 20 || strings.Count(got, "\n") < len(files) {
		t.Errorf("%d files in the .deb, in the .rpm\n%s", len(files), got)
	}
	for _, f := range files {
		if !regexp.MustCompile("(?m)^" + regexp.QuoteMeta(f) + "$").MatchString(got) {
			t.Errorf("not in the .rpm: %s", f)
		}
	}
	wantLines(t, mustRun(t, "rpm", "-qp", "--configfiles", rpm), "/etc/hatchdog/policy.yaml")
	scripts := mustRun(t, "rpm", "-qp", "--scripts", rpm)
	wantLines(t, scripts, "postinstall scriptlet", "hatchctl install $engine", "preuninstall scriptlet", "hatchctl uninstall $engine")
	if strings.Contains(scripts, "rm -rf") {
		t.Error("an rpm knows no purge: its removal keeps what the administrator wrote")
	}
}

// The life of the .deb on a system with containerd and Docker: install, run a
// container, upgrade, remove, purge. At the end every file is as it was.
func TestPackageLife(t *testing.T) {
	s := newDebian(t)
	first, second := only(t, buildPackages(t, "v0.0.1")+"/*.deb"), only(t, buildPackages(t, "v0.0.2")+"/*.deb")
	before := s.files(t)

	s.dpkg(t, "--install", first)
	wantLines(t, read(t, s.dir+containerdConfig), "# ours", `BinaryName = "/usr/bin/hatchdog"`)
	wantLines(t, read(t, s.dir+dockerConfig), `"path": "/usr/bin/hatchdog"`, `"debug": true`)
	wantLines(t, read(t, s.dir+"/usr/lib/systemd/system/hatchdog-apparmor.service"), "ExecStart=/usr/bin/hatchctl apparmor load")
	wantLines(t, read(t, s.dir+"/usr/lib/systemd/system/hatchdog-export.service"), "ExecStart=/usr/bin/hatchctl export")
	wantLines(t, read(t, s.dir+"/usr/lib/systemd/system/hatchdog-watch.service"), "ExecStart=/usr/bin/hatchctl watch --json")
	if strings.Contains(read(t, s.dir+"/var/lib/dpkg/systemctl"), "enable hatchdog-watch") {
		t.Error("the watch is enabled")
	}
	wantLines(t, s.do(t, "hatchctl", "--version"), "0.0.1")
	wantLines(t, s.container(t, "c1", "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")

	// An administrator's words outlive an upgrade.
	s.do(t, "hatchctl", "install", "containerd", "--binary", "/usr/bin/hatchdog", "--set-default")
	// Where the root was changed nobody may make a user namespace.
	const policy = "version: 1\nmode: enforce\nprofile: mine # mine\nprofiles:\n  mine: {extends: builtin/untrusted, userns: {mode: auto}}\n"
	must(t, os.WriteFile(s.dir+"/etc/hatchdog/policy.yaml", []byte(policy), 0o644))
	s.dpkg(t, "--install", second)
	wantLines(t, s.do(t, "hatchctl", "--version"), "0.0.2")
	if got := read(t, s.dir+"/etc/hatchdog/policy.yaml"); got != policy {
		t.Errorf("the upgrade changed the policy:\n%s", got)
	}
	wantLines(t, read(t, s.dir+containerdConfig), `default_runtime_name = "hatchdog"`)
	wantLines(t, s.container(t, "c2", "grep", "CapEff", "/proc/self/status"), "CapEff:\t0000000000000000")

	// While a container is there it cannot be removed.
	s.begin(t, "c3")
	if out, code := s.tryDpkg(t, "--remove", "hatchdog"); code == 0 || !strings.Contains(out, "c3") {
		t.Errorf("removed under a container: %d %s", code, out)
	}
	wantLines(t, read(t, s.dir+containerdConfig), `BinaryName = "/usr/bin/hatchdog"`)
	s.end(t, "c3")

	s.dpkg(t, "--remove", "hatchdog")
	asked := read(t, s.dir+"/var/lib/dpkg/systemctl")
	wantLines(t, asked, "enable hatchdog-apparmor.service", "disable hatchdog-apparmor.service", "disable hatchdog-export.service")
	if strings.Contains(asked, "enable hatchdog-guard") || strings.Contains(asked, "enable hatchdog-export") {
		t.Error("a unit is on by itself that an administrator turns on")
	}
	s.wantAsBefore(t, containerdConfig, dockerConfig)
	if got := read(t, s.dir+"/etc/hatchdog/policy.yaml"); got != policy {
		t.Error("only a purge takes the policy")
	}
	s.dpkg(t, "--purge", "hatchdog")
	after := s.files(t)
	for path, what := range after {
		if before[path] != what {
			t.Errorf("left or changed: %s", path)
		}
	}
	for path := range before {
		if _, there := after[path]; !there {
			t.Errorf("gone: %s", path)
		}
	}
}

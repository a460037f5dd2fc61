package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/hatchdog/hatchdog/internal/why"
)

// TestSELinux runs the host's Docker as systemd starts it, in the domain that the
// policy has for engines, with hatchdog installed as its documentation says.
func TestSELinux(t *testing.T) {
	require(t, "selinux", "systemd")
	if enforcing := strings.TrimSpace(read(t, "/sys/fs/selinux/enforce")); enforcing != "1" {
		t.Fatalf("the policy is not enforced: %q", enforcing)
	}
	underSystemd(t)
	t.Run("without a user namespace", func(t *testing.T) { selinuxKept(t, "off") })
	t.Run("with one", func(t *testing.T) { selinuxKept(t, "required") })
	t.Run("refusals", selinuxRefusals)
	t.Run("denial", selinuxDenial)
	if domain := mustRun(t, "sh", "-c", "cat /proc/$(pidof dockerd)/attr/current"); !strings.Contains(domain, ":dockerd_t:") {
		t.Errorf("Docker runs as %s: the test shows nothing", domain)
	}
	// What the policy keeps from hatchdog and runc themselves would be here.
	for line := range strings.Lines(mustRun(t, "sh", "-c", "dmesg | cat")) {
		if strings.Contains(line, "avc:  denied") && (strings.Contains(line, `comm="hatchdog"`) || strings.Contains(line, `comm="runc`)) {
			t.Error(line)
		}
	}
}

// underSystemd installs hatchdog and a policy and starts the unit of Docker.
func underSystemd(t *testing.T) {
	t.Helper()
	for from, to := range map[string]string{tested.hatchdog: "/usr/local/bin/hatchdog", tested.hatchctl: "/usr/local/bin/hatchctl", pinnedRunc(t): "/usr/local/sbin/runc"} {
		mustRun(t, "install", "-m", "755", from, to)
	}
	must(t, os.MkdirAll("/etc/docker", 0o755))
	must(t, os.WriteFile("/etc/docker/daemon.json", []byte(`{"selinux-enabled": true, "userland-proxy": false}`), 0o644))
	mustRun(t, "/usr/local/bin/hatchctl", "install", "docker")
	selinuxPolicy(t, "off")
	mustRun(t, "restorecon", "-R", "/etc/hatchdog", "/etc/docker", "/usr/local")
	mustRun(t, "systemctl", "restart", "docker")
	t.Cleanup(func() {
		run(t, "systemctl", "stop", "docker", "docker.socket", "containerd")
		unmountBelow("/var/lib/docker")
	})
	load := exec.Command("docker", "import", "-", "busybox")
	load.Stdin = bytes.NewReader(busyboxTar(t))
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v %s", err, out)
	}
}

func selinuxPolicy(t *testing.T, userns string) {
	t.Helper()
	must(t, os.MkdirAll("/etc/hatchdog", 0o755))
	must(t, os.WriteFile("/etc/hatchdog/policy.yaml", []byte("version: 1\nruntime: {path: /usr/local/sbin/runc}\nprofile: p\n"+
		"profiles: {p: {extends: builtin/restricted, userns: {mode: "+userns+"}}}\n"), 0o600))
}

func selinuxContainer(t *testing.T, name string, args ...string) {
	t.Helper()
	t.Cleanup(func() { run(t, "docker", "rm", "-f", "-v", name) })
	mustRun(t, "docker", append(append([]string{"run", "-d", "--net=none", "--name", name, "--runtime=hatchdog"}, args...), "busybox", "sleep", "900")...)
}

// selinuxKept: the labels that the engine chose are those of the process, of a
// further one and of the files, each container's with categories of its own.
func selinuxKept(t *testing.T, userns string) {
	selinuxPolicy(t, userns)
	seen := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		selinuxContainer(t, name, "-v", "kept-"+name+":/volume")
		label := mustRun(t, "docker", "inspect", "-f", "{{.ProcessLabel}} {{.MountLabel}} {{.State.Pid}}", name)
		f := strings.Fields(label)
		if len(f) != 3 || !strings.Contains(f[0], ":container_t:s0:c") || !strings.Contains(f[1], ":container_file_t:s0:c") || seen[f[0]] {
			t.Fatalf("Docker gave %q", label)
		}
		seen[f[0]] = true
		for _, got := range []string{read(t, "/proc/"+f[2]+"/attr/current"), mustRun(t, "docker", "exec", name, "cat", "/proc/self/attr/current")} {
			if strings.TrimRight(got, "\x00\n") != f[0] {
				t.Errorf("a process has the label %q, Docker gave %s", got, f[0])
			}
		}
		for _, path := range []string{"/bin/busybox", "/volume"} {
			if got := fileLabel(t, "/proc/"+f[2]+"/root"+path); !strings.Contains(got, ":container_file_t:s0") || path != "/volume" && got != f[1] {
				t.Errorf("%s has the label %q, Docker gave %s", path, got, f[1])
			}
		}
		mapped := !strings.HasSuffix(strings.TrimSpace(read(t, "/proc/"+f[2]+"/uid_map")), " 4294967295")
		if mapped != (userns == "required") {
			t.Errorf("userns %s: %s", userns, read(t, "/proc/"+f[2]+"/uid_map"))
		}
		mustRun(t, "docker", "exec", name, "sh", "-c", "echo x >/volume/f && cat /volume/f")
	}
	if out := mustRun(t, "hatchctl", "list"); !strings.Contains(out, "one") && !strings.Contains(out, "two") {
		t.Errorf("hatchctl list: %s", out)
	}
	types, _ := run(t, "sh", "-c", "ls -dZ /run/hatchdog* /run/hatchdog/* /var/lib/hatchdog /var/log/hatchdog /var/log/hatchdog/* 2>/dev/null")
	t.Log(types)
}

func fileLabel(t *testing.T, path string) string {
	t.Helper()
	value := make([]byte, 256)
	n, err := unix.Getxattr(path, "security.selinux", value)
	must(t, err)
	return strings.TrimRight(string(value[:n]), "\x00")
}

// selinuxRefusals: what asks to be confined less by it is refused.
func selinuxRefusals(t *testing.T) {
	for option, says := range map[string]string{
		"label=disable":           "the request took the label of the process away",
		"label=type:spc_t":        "the type spc_t is not known to be confined",
		"label=level:s0:c1,c2.c9": "at most two categories",
	} {
		out, code := run(t, "docker", "run", "--rm", "--net=none", "--runtime=hatchdog", "--security-opt", option, "busybox", "true")
		if code != 125 && code != 126 || !strings.Contains(out, "process.selinuxLabel") && !strings.Contains(out, "linux.mountLabel") || !strings.Contains(out, says) {
			t.Errorf("%s: exit code %d, want %q in\n%s", option, code, says, out)
		}
	}
}

// selinuxDenial: a file of the host that everybody may read is kept from a
// container by its label alone, and hatchctl names who did so.
func selinuxDenial(t *testing.T) {
	selinuxPolicy(t, "off")
	dir := "/srv/hatchdog-it"
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "of-the-host"), []byte("secret\n"), 0o644))
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	selinuxContainer(t, "denied", "-v", dir+":/host:ro")
	out, code := run(t, "docker", "exec", "denied", "cat", "/host/of-the-host")
	if code == 0 || !strings.Contains(out, "Permission denied") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	for _, args := range [][]string{{"denied", "/host/of-the-host"}, {"denied"}} {
		out, _ := run(t, "hatchctl", append([]string{"why", "--json"}, args...)...)
		var answer struct {
			Findings []why.Finding `json:"findings"`
		}
		must(t, json.Unmarshal([]byte(out), &answer))
		found := false
		for _, f := range answer.Findings {
			found = found || f.Verdict == why.Other && f.Layer == why.LayerModule && strings.Contains(f.Why, "SELinux") && strings.Contains(f.Why, "container_t")
		}
		if !found {
			t.Errorf("hatchctl why %s: %s", strings.Join(args, " "), out)
		}
	}
}

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pair is an application of two parts, which find each other by name.
const pair = `services:
  db:
    image: busybox
    runtime: RUNTIME
    command: [sh, -c, "echo row >>/data/rows; exec httpd -f -p 5000 -h /data"]
    volumes: ["data:/data"]
  app:
    image: busybox
    runtime: RUNTIME
    depends_on: [db]
    command: [sh, -c, "until wget -q -O- http://db:5000/rows; do sleep 0.2; done; exec sleep 3600"]
volumes: {data: {}}
`

// nerdctl is a client of containerd; all that it keeps is in a folder of the test's.
type nerdctl struct{ dir, ns, program string }

func (n nerdctl) try(t *testing.T, args ...string) (string, int) {
	t.Helper()
	global := []string{
		"--net=" + n.ns, n.program, "--address", n.dir + "/containerd.sock", "--data-root", n.dir + "/data", "--cni-netconfpath", n.dir + "/cni", "--cni-path", "/usr/lib/cni",
	}
	return patiently(t, []string{"HOME=" + n.dir}, "nsenter", append(global, args...)...)
}

func (n nerdctl) do(t *testing.T, args ...string) string {
	t.Helper()
	out, code := n.try(t, args...)
	if code != 0 {
		t.Fatalf("nerdctl %v: %d: %s", args, code, out)
	}
	return out
}

// nerdctlPolicy lists nerdctl's own hook, by which it connects a container.
const nerdctlPolicy = `profiles:
  nerdctl:
    extends: builtin/restricted
    hooks: {allow: [%s]}
rules:
  - {match: {engine: ctr}, profile: nerdctl}
`

func startNerdctl(t *testing.T) nerdctl {
	t.Helper()
	require(t, "nerdctl")
	ns, err := netnsOf("-nerdctl")
	must(t, err)
	n := nerdctl{filepath.Join(tested.dir, "nerdctl"), ns, filepath.Join(tested.dir, "bin", "nerdctl")}
	program, err := os.ReadFile(cached(t, "nerdctl-v*/nerdctl"))
	must(t, err)
	must(t, os.WriteFile(n.program, program, 0o755)) // where others than root can change nothing
	policy := policyFile(t, n.dir, fmt.Sprintf(nerdctlPolicy, n.program))
	containerd := cached(t, "containerd-v*/containerd")
	cmd := startContainerd(t, ns, containerd, n.dir, "HATCHDOG_POLICY="+policy, "PATH="+filepath.Dir(containerd)+":"+filepath.Dir(pinnedRunc(t))+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		stop(cmd)
		killMatching(n.dir)
		unmountBelow(n.dir)
	})
	importArchive(t, filepath.Join(filepath.Dir(containerd), "ctr"), n.dir+"/containerd.sock", "default", "", ociArchive(t, "docker.io/library/busybox:latest", busyboxTar(t), "sh"))
	return n
}

func TestNerdctl(t *testing.T) {
	n := startNerdctl(t)
	const look = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status"
	confined := []string{"CapEff:\t" + restrictedCaps, "NoNewPrivs:\t1", "Seccomp:\t2"}
	wantLines(t, n.do(t, "run", "--rm", "--runtime", tested.hatchdog, "busybox", "sh", "-c", look), confined...)
	n.do(t, "run", "-d", "--runtime", tested.hatchdog, "--name", "web", "-v", "vol:/v", "-p", "8080:80", "--memory", "64m", "busybox",
		"sh", "-c", "echo kept >/v/f; echo said; exec httpd -f -p 80 -h /v")
	t.Cleanup(func() { n.try(t, "rm", "-f", "web") })
	wantLines(t, n.do(t, "exec", "--privileged", "web", "sh", "-c", look), confined...)
	waitFor(t, "its log", func() bool { return strings.Contains(n.do(t, "logs", "web"), "said") })
	explained := mustRun(t, tested.hatchctl, "--policy", n.dir+"/policy.yaml", "explain", "web")
	wantLines(t, explained, "of ctr", "no user namespace: a hook other than Docker's")
	n.do(t, "network", "create", "net1")
	t.Cleanup(func() { n.try(t, "network", "rm", "net1") })
	out := n.do(t, "run", "--rm", "--runtime", tested.hatchdog, "--net", "net1", "busybox", "ip", "-o", "-4", "addr", "show", "scope", "global")
	wantLines(t, out, "inet ")
	n.do(t, "stop", "-t", "1", "web")
	n.do(t, "start", "web")
	wantLines(t, n.do(t, "exec", "web", "cat", "/v/f"), "kept")
	waitFor(t, "the published port", func() bool {
		page, code := run(t, "nsenter", "--net="+n.ns, "busybox", "wget", "-q", "-O-", "http://127.0.0.1:8080/f")
		return code == 0 && page == "kept\n"
	})
	n.do(t, "rm", "-f", "web")
	for option, why := range map[string]string{"--privileged": "devices", "--net=host": "namespaces.host", "-v=/var/lib/nerdctl:/n": "is protected", "-v=" + n.dir + "/data:/n": "is protected"} {
		if out, code := n.try(t, "run", "--rm", "--runtime", tested.hatchdog, option, "busybox", "true"); code == 0 || !strings.Contains(out, why) {
			t.Errorf("%s: %d %s", option, code, out)
		}
	}
}

// Without the line of the policy, its hook is refused, and the remedy is true.
func TestNerdctlsHook(t *testing.T) {
	n := startNerdctl(t)
	must(t, os.WriteFile(n.dir+"/policy.yaml", []byte(strings.Split(read(t, n.dir+"/policy.yaml"), "profiles:")[0]), 0o600))
	out, code := n.try(t, "run", "--rm", "--runtime", tested.hatchdog, "busybox", "true")
	if code == 0 {
		t.Error("its hook runs")
	}
	wantLines(t, out, "hooks.createRuntime[0]", "add "+n.program+" to hooks.allow")
}

func TestNerdctlCompose(t *testing.T) {
	n := startNerdctl(t)
	file := n.dir + "/compose.yaml"
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(pair, "RUNTIME", tested.hatchdog)), 0o644))
	compose := func(args ...string) string {
		t.Helper()
		return n.do(t, append([]string{"compose", "-f", file, "-p", "shop"}, args...)...)
	}
	t.Cleanup(func() { n.try(t, "compose", "-f", file, "-p", "shop", "down", "-v") })
	compose("up", "-d")
	waitFor(t, "what app has from db", func() bool { return strings.Contains(compose("logs", "app"), "row") })
	for _, part := range []string{"app", "db"} {
		wantLines(t, compose("exec", "-T", part, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	}
	compose("down", "-v")
	if left := n.do(t, "ps", "-aq"); left != "" {
		t.Errorf("left: %s", left)
	}
}

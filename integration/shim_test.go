package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// buildShim builds the shim beside hatchdog, as it is shipped.
func buildShim(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(tested.dir, "bin")
	if os.Getenv("HATCHDOG_TESTED") != "" {
		return bin // built elsewhere
	}
	build := exec.Command("go", "build", "-trimpath", "-tags", "no_grpc", "-ldflags", "-s -w", "-o", bin+"/", "../cmd/containerd-shim-hatchdog-v1")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return bin
}

// shimmed is a containerd that finds the shim on its PATH.
type shimmed struct{ ctr, socket, dir, policy string }

func startShimmed(t *testing.T, name, program string) *shimmed {
	t.Helper()
	bin := buildShim(t)
	s := &shimmed{ctr: filepath.Join(filepath.Dir(program), "ctr"), dir: filepath.Join(tested.dir, "shim-"+name)}
	s.socket = s.dir + "/containerd.sock"
	s.policy = policyFile(t, s.dir, "")
	ns, err := netns()
	must(t, err)
	cmd := startContainerd(t, ns, program, s.dir, "HATCHDOG_POLICY="+s.policy, "PATH="+bin+":"+os.Getenv("PATH"))
	t.Cleanup(func() { stop(cmd); killMatching(s.dir); unmountBelow(s.dir) })
	importArchive(t, s.ctr, s.socket, "default", criImage, ociArchive(t, criImage, busyboxTar(t), "sh"))
	return s
}

func (s *shimmed) start(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return run(t, s.ctr, append([]string{"-a", s.socket, "run", "--runtime", "io.containerd.hatchdog.v1"}, args...)...)
}

func TestShim(t *testing.T) {
	for name, program := range map[string]string{
		"oldest": cached(t, "containerd-oldest-*/containerd"),
		"newest": cached(t, "containerd-v*/containerd"),
	} {
		t.Run(name, func(t *testing.T) {
			s := startShimmed(t, name, program)
			const look = "grep -E 'CapEff|NoNew' /proc/self/status"
			out, code := s.start(t, "--rm", criImage, "c1", "sh", "-c", look)
			if code != 0 {
				t.Fatal(out)
			}
			wantLines(t, out, "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
			if out, code = s.start(t, "--rm", "--net-host", criImage, "c2", "true"); code == 0 {
				t.Error("the host's network was given")
			}
			wantLines(t, out, "hatchdog: container c2", "linux.namespaces[network]", "namespaces.host")

			if out, code := s.start(t, "-d", criImage, "c3", "sleep", "600"); code != 0 {
				t.Fatal(out)
			}
			out = mustRun(t, s.ctr, "-a", s.socket, "task", "exec", "--exec-id", "e1", "c3", "sh", "-c", look)
			wantLines(t, out, "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
			wantLines(t, mustRun(t, tested.hatchctl, "--policy", s.policy, "explain", "c3"), "builtin/restricted")
			mustRun(t, s.ctr, "-a", s.socket, "task", "kill", "-s", "KILL", "c3")
			waitFor(t, "c3 to stop", func() bool {
				_, code := run(t, s.ctr, "-a", s.socket, "task", "rm", "c3")
				return code == 0
			})
			mustRun(t, s.ctr, "-a", s.socket, "container", "rm", "c3")
			if left, _ := filepath.Glob(s.dir + "/state/*/c*/record.json"); len(left) > 0 {
				t.Errorf("records are left: %v", left)
			}
		})
	}
}

// Debian's containerd 1.6 is older than what the shim's library speaks with.
func TestShimUnderAnOldDaemon(t *testing.T) {
	bin := buildShim(t)
	dir := filepath.Join(tested.dir, "shim-old")
	policy := policyFile(t, dir, "")
	ns, err := netns()
	must(t, err)
	cmd := startContainerd(t, ns, "containerd", dir, "HATCHDOG_POLICY="+policy, "PATH="+bin+":"+os.Getenv("PATH"))
	t.Cleanup(func() { stop(cmd); killMatching(dir); unmountBelow(dir) })
	s := &shimmed{ctr: "ctr", socket: dir + "/containerd.sock", dir: dir, policy: policy}
	importArchive(t, s.ctr, s.socket, "default", criImage, ociArchive(t, criImage, busyboxTar(t), "sh"))
	out, code := s.start(t, "--rm", criImage, "c1", "true")
	if code == 0 {
		t.Error("it runs: then it is supported, and the documentation is wrong")
	}
	wantLines(t, out, "this containerd is too old for io.containerd.hatchdog.v1", "BinaryName = hatchdog")
}

// podUnderShim: the containers of a pod share one shim, and are held as under
// any other.
func podUnderShim(t *testing.T, k *kubelet) {
	config := pod("apps", "shimmed", object{}, nil)
	sandbox, failure := k.sandboxOf(t, "shim", config)
	if failure != "" {
		t.Fatal(failure)
	}
	for _, name := range []string{"a", "b"} {
		id, failure := k.container(t, sandbox, config, name, object{})
		if failure != "" {
			t.Fatal(failure)
		}
		wantLines(t, k.exec(t, id, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	}
	shims := 0
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(t, err)
	for _, f := range found {
		data, _ := os.ReadFile(f)
		if strings.Contains(string(data), "containerd-shim-hatchdog-v1") && strings.Contains(string(data), k.socket) {
			shims++
		}
	}
	if shims != 1 {
		t.Errorf("%d shims serve one pod", shims)
	}
	_, failure = k.sandboxOf(t, "shim", pod("apps", "shimhost", object{"securityContext": object{"namespaceOptions": object{"network": "NODE"}}}, nil))
	wantLines(t, failure, "refused by policy", "linux.namespaces[network]", "namespaces.host")
}

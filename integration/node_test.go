package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nodeRoot is a system that is not booted, for the script of the Kubernetes
// installer.
type nodeRoot struct{ dir, image, policy string }

func newNodeRoot(t *testing.T) *nodeRoot {
	t.Helper()
	n := &nodeRoot{dir: t.TempDir(), image: t.TempDir(), policy: t.TempDir()}
	for _, d := range []string{"bin", "usr/bin", "usr/local/bin", "etc/containerd", "dev"} {
		must(t, os.MkdirAll(filepath.Join(n.dir, d), 0o755))
	}
	busybox, err := os.ReadFile("/bin/busybox")
	must(t, err)
	must(t, os.WriteFile(n.dir+"/bin/sh", busybox, 0o755))
	must(t, os.WriteFile(n.dir+"/usr/bin/systemctl", []byte("#!/bin/sh\necho \"$@\" >>/systemctl.log\n[ ! -e /broken ] || [ \"$1\" != restart ] || exit 1\ncase \"$*\" in *is-active*containerd) exit 0;; *is-active*) exit 1;; esac\n"), 0o755))
	must(t, syscall.Mknod(n.dir+"/dev/null", syscall.S_IFCHR|0o666, 1<<8|3))
	bin := buildShim(t)
	for _, p := range []string{"hatchdog", "hatchctl", "containerd-shim-hatchdog-v1"} {
		data, err := os.ReadFile(filepath.Join(bin, p))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(n.image, p), data, 0o755))
	}
	data, err := os.ReadFile("../deploy/kubernetes/base/policy.yaml")
	must(t, err)
	must(t, os.WriteFile(n.policy+"/policy.yaml", data, 0o644))
	return n
}

func (n *nodeRoot) script(t *testing.T, verb string) (string, error) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "../deploy/kubernetes/base/node.sh", verb)
	cmd.Env = []string{"NODE=" + n.dir, "IMAGE=" + n.image, "POLICY=" + n.policy, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestKubernetesNode(t *testing.T) {
	n := newNodeRoot(t)
	config := n.dir + "/etc/containerd/config.toml"
	const original = "version = 2\n# the node's\n"
	must(t, os.WriteFile(config, []byte(original), 0o644))
	for range 2 { // a pod that starts again repairs and changes nothing
		out, err := n.script(t, "install")
		if err != nil {
			t.Fatal(err, out)
		}
	}
	wantLines(t, read(t, config), "# the node's", "runtimes.hatchdog", `BinaryName = "/usr/local/bin/hatchdog"`)
	if got := read(t, n.dir+"/systemctl.log"); strings.Count(got, "restart containerd") != 1 {
		t.Errorf("restarts:\n%s", got)
	}
	if out, err := n.script(t, "uninstall"); err != nil {
		t.Fatal(err, out)
	}
	if got := read(t, config); got != original {
		t.Errorf("not as it was:\n%s", got)
	}
	if left, _ := filepath.Glob(n.dir + "/usr/local/bin/*"); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// A policy that does not parse never takes the place of one that does.
func TestKubernetesNodeKeepsThePolicy(t *testing.T) {
	n := newNodeRoot(t)
	must(t, os.WriteFile(n.dir+"/etc/containerd/config.toml", []byte("version = 2\n"), 0o644))
	if out, err := n.script(t, "install"); err != nil {
		t.Fatal(err, out)
	}
	before := read(t, n.dir+"/etc/hatchdog/policy.yaml")
	must(t, os.WriteFile(n.policy+"/policy.yaml", []byte("version: 1\nmode: enforced\n"), 0o644))
	out, err := n.script(t, "install")
	if err == nil || !strings.Contains(out, "enforced") || read(t, n.dir+"/etc/hatchdog/policy.yaml") != before {
		t.Errorf("%v %s", err, out)
	}
}

// The programs stay while a container needs them, in complain mode too.
func TestKubernetesNodeWaitsForContainers(t *testing.T) {
	n := newNodeRoot(t)
	must(t, os.WriteFile(n.dir+"/etc/containerd/config.toml", []byte("version = 2\n"), 0o644))
	if out, err := n.script(t, "install"); err != nil {
		t.Fatal(err, out)
	}
	must(t, os.MkdirAll(n.dir+"/run/hatchdog/key/c1", 0o755))
	must(t, os.Symlink("/run/runc", n.dir+"/run/hatchdog/key/@root"))
	must(t, os.MkdirAll(n.dir+"/run/runc/c1", 0o755))
	must(t, os.WriteFile(n.dir+"/run/runc/c1/state.json", []byte("{}"), 0o644))
	out, err := n.script(t, "uninstall")
	if err == nil || !strings.Contains(out, "drain the node") {
		t.Errorf("%v %s", err, out)
	}
	if _, err := os.Stat(n.dir + "/usr/local/bin/hatchdog"); err != nil {
		t.Error("the container cannot be deleted any more:", err)
	}
	must(t, os.RemoveAll(n.dir+"/run/runc/c1"))
	if out, err := n.script(t, "uninstall"); err != nil {
		t.Errorf("%v %s", err, out)
	}
}

// A containerd that does not restart gets its configuration back, and the pod
// fails.
func TestKubernetesNodeRollsBack(t *testing.T) {
	n := newNodeRoot(t)
	config := n.dir + "/etc/containerd/config.toml"
	must(t, os.WriteFile(config, []byte("version = 2\n"), 0o644))
	must(t, os.WriteFile(n.dir+"/broken", nil, 0o644))
	out, err := n.script(t, "install")
	if err == nil {
		t.Errorf("it went on: %s", out)
	}
	wantLines(t, out, "rolling back", "systemctl restart containerd: exit status 1")
	if got := read(t, config); got != "version = 2\n" {
		t.Errorf("not rolled back: %s", got)
	}
}

package integration

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestCluster is hatchdog on a real Kubernetes: kubelet, API server, scheduler
// and controllers, installed and taken away by deploy/kubernetes.
func TestCluster(t *testing.T) {
	require(t, "kubernetes")
	c := startCluster(t)
	c.install(t)
	if t.Failed() {
		return
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *cluster)
	}{
		{"a pod", clusterPod},
		{"the shim", clusterShim},
		{"exec, logs, attach, port-forward", clusterStreams},
		{"probes and hooks", clusterProbes},
		{"a rolling update", clusterRollingUpdate},
		{"a StatefulSet", clusterStatefulSet},
		{"ConfigMaps and Secrets", clusterVolumes},
		{"init containers and a sidecar", clusterSidecar},
		{"an ephemeral container", clusterDebug},
		{"hostUsers: false", clusterHostUsers},
		{"Pod Security", clusterPodSecurity},
		{"a resize in place", clusterResize},
		{"a graceful deletion", clusterGraceful},
		{"a refusal", clusterRefusal},
		{"the admission policy", clusterAdmission},
		{"daemons that end", clusterDaemonsEnd},
		{"many pods", clusterMany},
		{"drain and uninstall", clusterUninstall},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() {
				c.try(t, "kubectl", "delete", "deployments,statefulsets,pods", "--all", "--grace-period=1", "--timeout=60s")
			})
			test.run(t, c)
		})
	}
}

// clusterPolicy is deploy/kubernetes' own, and what this lane needs besides:
// in a user namespace that containerd made, runc can set no limit where the
// host's root has no CAP_SYS_RESOURCE.
const clusterPolicy = `  - match: {engine: cri, namespace: users}
    profile: restricted
    privilege: {rlimits: {RLIMIT_CORE: {max: 0, force: false}}}
`

// install applies a copy of deploy/kubernetes, whose overlay names the image that
// the node has.
func (c *cluster) install(t *testing.T) {
	t.Helper()
	const image = "registry.example/hatchdog"
	c.importImage(t, image+":tested", installerTar(t), "sh")
	mustRun(t, "cp", "-r", "../deploy/kubernetes", c.dir+"/deploy")
	mustRun(t, "sed", "-i", "s/newTag: .*/newTag: tested/", c.dir+"/deploy/overlays/namespace/kustomization.yaml")
	undo := c.dir + "/deploy/uninstall/kustomization.yaml"
	must(t, os.WriteFile(undo, []byte(strings.ReplaceAll(read(t, undo), "../base", "../overlays/namespace")), 0o644))
	policy := c.dir + "/deploy/base/policy.yaml"
	must(t, os.WriteFile(policy, []byte(read(t, policy)+clusterPolicy), 0o644))

	c.kubectl(t, "apply", "-k", c.dir+"/deploy/overlays/namespace")
	c.kubectl(t, "label", "node", "node1", "hatchdog.dev/node=true")
	waitFor(t, "the installer's pod", func() bool {
		out, _ := c.try(t, "kubectl", "-n", "hatchdog-system", "get", "daemonset/hatchdog-node", "-o", "jsonpath={.status.numberReady}")
		return out == "1"
	})
	wantLines(t, read(t, c.file("/etc/containerd/config.toml")), "runtimes.hatchdog", `BinaryName = "/usr/local/bin/hatchdog"`)
	wantLines(t, c.do(t, "hatchctl", "policy", "check", "/etc/hatchdog/policy.yaml"), "")
	c.apply(t, "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: hatchdog-shim}, handler: shim}")
}

// podYAML is a pod of the class whose container runs a shell script. More are
// lines of the container, at its indentation.
func podYAML(name, class, script string, more ...string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata: {name: %s, labels: {app: %s}}
spec:
  runtimeClassName: %s
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: %s
    command: [sh, -c, %q]
`, name, name, class, criImage, script) + strings.Join(more, "")
}

const sleeps = "trap 'exit 0' TERM; sleep 3600 & wait"

// ready waits for pods; otherwise it shows what Kubernetes says of them.
func (c *cluster) ready(t *testing.T, which ...string) {
	t.Helper()
	if out, code := c.try(t, append([]string{"kubectl", "wait", "--for=condition=Ready", "--timeout=60s"}, which...)...); code != 0 {
		said, _ := c.try(t, append([]string{"kubectl", "describe"}, which...)...)
		t.Fatalf("not ready: %s\n%s", out, said)
	}
}

// describeFailed shows what Kubernetes says of a pod when the test has failed.
func (c *cluster) describeFailed(t *testing.T, which ...string) {
	if t.Failed() {
		said, _ := c.try(t, append([]string{"kubectl", "describe"}, which...)...)
		t.Log(said)
	}
}

// gone deletes objects, and waits until they are.
func (c *cluster) gone(t *testing.T, which ...string) {
	t.Helper()
	c.kubectl(t, append([]string{"delete", "--wait", "--timeout=120s"}, which...)...)
}

// inside looks at a process of a pod.
func (c *cluster) inside(t *testing.T, pod string, command ...string) string {
	t.Helper()
	return c.kubectl(t, append([]string{"exec", pod, "--"}, command...)...)
}

// confined says that a pod is what a pod of ours is.
func (c *cluster) confined(t *testing.T, pod string) {
	t.Helper()
	wantLines(t, c.inside(t, pod, "grep", "-E", "^(CapEff|NoNewPrivs|Seccomp):", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1", "Seccomp:\t2")
	if got := c.inside(t, pod, "cat", "/proc/1/uid_map"); !regexp.MustCompile(`^\s+0\s+[1-9]\d+\s+65536\n$`).MatchString(got) {
		t.Errorf("no user namespace: %q", got)
	}
}

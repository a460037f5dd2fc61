package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

func clusterSidecar(t *testing.T, c *cluster) {
	c.apply(t, podYAML("sidecar", "hatchdog", "cat /shared/init; "+sleeps, `    volumeMounts: [{name: shared, mountPath: /shared}]
  volumes: [{name: shared, emptyDir: {}}]
  initContainers:
  - {name: init, image: `+criImage+`, command: [sh, -c, "echo from the first >/shared/init"], volumeMounts: [{name: shared, mountPath: /shared}]}
  - {name: side, image: `+criImage+`, restartPolicy: Always, command: [sh, -c, "sleep 3600"], startupProbe: {exec: {command: [test, -e, /shared/init]}, periodSeconds: 1}, volumeMounts: [{name: shared, mountPath: /shared}]}
`))
	c.ready(t, "pod/sidecar")
	wantLines(t, c.kubectl(t, "logs", "sidecar", "-c", "c"), "from the first")
	wantLines(t, c.kubectl(t, "exec", "sidecar", "-c", "side", "--", "grep", "NoNew", "/proc/self/status"), "NoNewPrivs:\t1")
	c.gone(t, "pod/sidecar")
}

// A container that is added to a pod that runs has the same profile, and sees
// the processes of the one that it is added for.
func clusterDebug(t *testing.T, c *cluster) {
	c.apply(t, podYAML("debugged", "hatchdog", sleeps))
	c.ready(t, "pod/debugged")
	c.kubectl(t, "debug", "debugged", "--image="+criImage, "--target=c", "--profile=general", "-c", "look", "--attach=false", "--",
		"sh", "-c", "grep -E 'CapEff|NoNew' /proc/self/status; ps; exec sleep 3600")
	log := ""
	t.Cleanup(func() { c.describeFailed(t, "pod/debugged") })
	waitFor(t, "what the added container says", func() bool {
		log, _ = c.try(t, "kubectl", "logs", "debugged", "-c", "look")
		return strings.Contains(log, "CapEff:\t"+restrictedCaps) && strings.Contains(log, "NoNewPrivs:\t1") && strings.Contains(log, "1 root     sh -c trap")
	})
	c.gone(t, "pod/debugged")
}

// hostUsers: false gives a pod ids of the kubelet's: from all that there are, and
// where the kubelet has an account with lines of its own, of those.
func clusterHostUsers(t *testing.T, c *cluster) {
	c.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: users}}")
	ids := func() uint64 {
		c.apply(t, strings.Replace(podYAML("users", "hatchdog", sleeps), "metadata: {", "metadata: {namespace: users, ", 1)+"  hostUsers: false\n")
		c.ready(t, "pod/users", "-n", "users")
		f := strings.Fields(c.kubectl(t, "-n", "users", "exec", "users", "--", "cat", "/proc/1/uid_map"))
		if len(f) != 3 || f[0] != "0" || f[2] != "65536" {
			t.Fatalf("uid_map: %q", f)
		}
		wantLines(t, c.kubectl(t, "-n", "users", "exec", "users", "--", "grep", "NoNew", "/proc/self/status"), "NoNewPrivs:\t1")
		wantLines(t, c.kubectl(t, "-n", "users", "exec", "users", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"), "users")
		c.gone(t, "pod/users", "-n", "users")
		first, err := strconv.ParseUint(f[1], 10, 32)
		must(t, err)
		return first
	}
	if first := ids(); first < 1<<16 {
		t.Errorf("it has the ids from %d on", first)
	}
	const own = 1 << 30
	c.do(t, "sh", "-c", fmt.Sprintf("echo kubelet:x:990:990::/:/bin/false >>/etc/passwd; echo kubelet:%[1]d:16777216 | tee -a /etc/subuid >>/etc/subgid", own))
	c.do(t, "systemctl", "restart", "kubelet")
	waitFor(t, "ids of the kubelet's own", func() bool { first := ids(); return first >= own && first < own+16777216 })
}

// Pod Security's strictest level admits the class, and a pod that it admits runs.
func clusterPodSecurity(t *testing.T, c *cluster) {
	c.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: strict, labels: {pod-security.kubernetes.io/enforce: restricted}}}")
	in := func(name, more string) string {
		return strings.Replace(podYAML(name, "hatchdog", sleeps, more), "metadata: {", "metadata: {namespace: strict, ", 1)
	}
	if out, err := c.tryApply(t, in("lax", "")); err == nil || !strings.Contains(out, "violates PodSecurity") {
		t.Errorf("it was admitted: %s", out)
	}
	c.apply(t, in("strict", "    securityContext: {runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [ALL]}}\n"))
	c.ready(t, "pod/strict", "-n", "strict")
	wantLines(t, c.kubectl(t, "-n", "strict", "exec", "strict", "--", "grep", "-E", "CapBnd|Uid|NoNew|Seccomp:", "/proc/self/status"), "CapBnd:\t0000000000000000", "Uid:\t1000", "NoNewPrivs:\t1", "Seccomp:\t2")
	c.gone(t, "namespace/strict")
}

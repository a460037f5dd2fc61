package integration

import (
	"strings"
	"testing"
	"time"
)

// refusedAs waits until Kubernetes shows that hatchdog refused a pod, and
// returns what kubectl describe says.
func (c *cluster) refusedAs(t *testing.T, pod, path string) string {
	t.Helper()
	described := ""
	waitFor(t, pod+" to be refused", func() bool {
		described, _ = c.try(t, "kubectl", "describe", "pod/"+pod)
		return strings.Contains(described, "refused by policy")
	})
	wantLines(t, described, "hatchdog: pod "+path+": refused by policy", "Details: 'hatchctl explain "+path+"'")
	return described
}

// The reason of a refusal stands whole where a user of Kubernetes looks. The
// kubelet's tries are one event with a count, and no more than a few entries of
// the log.
func clusterRefusal(t *testing.T, c *cluster) {
	c.apply(t, podYAML("priv", "hatchdog", sleeps, "    securityContext: {privileged: true}\n"))
	described := c.refusedAs(t, "priv", "default/priv/c")
	wantLines(t, described, "linux.devices", "devices.allow", "Remedy: ")
	// Created and refused again at each of the kubelet's syncs.
	const tries = 4
	events := ""
	waitFor(t, "more tries", func() bool {
		events = c.kubectl(t, "get", "events", "--field-selector", "involvedObject.name=priv,reason=Failed", "-o", "jsonpath={range .items[*]}{.count} {.message}{\"\\n\"}{end}")
		for line := range strings.Lines(events) {
			if count, _, _ := strings.Cut(line, " "); len(count) > 1 || count >= "4" {
				return true
			}
		}
		return strings.Count(events, "\n") >= tries
	})
	if n := strings.Count(events, "refused by policy"); n != 1 {
		t.Errorf("%d events for one refusal:\n%s", n, events)
	}
	audit := read(t, c.file("/var/log/hatchdog/audit.jsonl"))
	entries := 0
	for line := range strings.Lines(audit) {
		if strings.Contains(line, `"pod":"priv"`) && strings.Contains(line, `"container":"c"`) {
			entries++
		}
	}
	// The log holds a line for each try, and of one workload no more than twenty in
	// a minute: the kubelet's back-off is slower.
	if entries == 0 || entries > tries+1 {
		t.Errorf("%d entries in the log for %d tries", entries, tries)
	}
	wantLines(t, c.do(t, "hatchctl", "explain", "default/priv/c"), "linux.devices")
	c.gone(t, "pod/priv")

	// A refused sandbox: its events are containerd's, which names the sandbox.
	c.apply(t, podYAML("hostnet", "hatchdog", sleeps)+"  hostNetwork: true\n")
	wantLines(t, c.refusedAs(t, "hostnet", "default/hostnet"), "linux.namespaces[network]", "namespaces.host")
	c.gone(t, "pod/hostnet")
}

// In a namespace that enforces it, no other class gets in.
func clusterAdmission(t *testing.T, c *cluster) {
	c.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: enforced, labels: {hatchdog.dev/enforce: \"true\"}}}")
	in := func(yaml string) string {
		return strings.Replace(yaml, "metadata: {", "metadata: {namespace: enforced, ", 1)
	}
	without := strings.Replace(podYAML("without", "x", sleeps), "  runtimeClassName: x\n", "", 1)
	waitFor(t, "the policy to hold", func() bool {
		out, err := c.tryApply(t, in(without))
		if err == nil {
			c.gone(t, "pod/without", "-n", "enforced", "--grace-period=1")
			return false
		}
		return strings.Contains(out, "set spec.runtimeClassName to hatchdog")
	})
	if out, err := c.tryApply(t, in(podYAML("other", "hatchdog-shim", sleeps))); err == nil {
		t.Errorf("another class got in: %s", out)
	}
	c.apply(t, in(podYAML("with", "hatchdog", sleeps)))
	c.ready(t, "pod/with", "-n", "enforced")
	// A Deployment says why it has no pods.
	c.apply(t, in(strings.Replace(deployment("none", 1, sleeps), "      runtimeClassName: hatchdog\n", "", 1)))
	waitFor(t, "the reason in the Deployment's status", func() bool {
		out, _ := c.try(t, "kubectl", "-n", "enforced", "get", "deployment/none", "-o", "jsonpath={.status.conditions[*].message}")
		return strings.Contains(out, "set spec.runtimeClassName to hatchdog")
	})
	c.gone(t, "namespace/enforced")
}

// The pod runs on, the same process, when the daemons above it end: asked to, and
// killed.
func clusterDaemonsEnd(t *testing.T, c *cluster) {
	for _, class := range []string{"hatchdog", "hatchdog-shim"} {
		c.apply(t, podYAML("lives-"+class, class, sleeps))
	}
	c.ready(t, "pod/lives-hatchdog", "pod/lives-hatchdog-shim")
	started := func(pod string) string {
		out, _ := c.try(t, "kubectl", "exec", pod, "--", "cut", "-d", " ", "-f", "22", "/proc/1/stat")
		return out
	}
	before := started("lives-hatchdog") + started("lives-hatchdog-shim")
	for _, how := range []string{"stop", "kill"} {
		for _, unit := range []string{"kubelet", "containerd"} {
			c.do(t, "systemctl", how, unit)
			c.do(t, "systemctl", "start", unit)
			waitFor(t, "the pods after "+how+" of "+unit, func() bool {
				return started("lives-hatchdog")+started("lives-hatchdog-shim") == before
			})
		}
	}
	c.ready(t, "node/node1")
	c.ready(t, "pod/lives-hatchdog", "pod/lives-hatchdog-shim")
	c.confined(t, "lives-hatchdog")
	restarts := c.kubectl(t, "get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].restartCount}")
	if strings.Trim(restarts, "0 ") != "" {
		t.Errorf("restarts: %s", restarts)
	}
	c.gone(t, "pod/lives-hatchdog", "pod/lives-hatchdog-shim")
}

// clusterPods is how many pods run at once.
const clusterPods = 100

func clusterMany(t *testing.T, c *cluster) {
	c.apply(t, deployment("many", clusterPods, sleeps))
	began := time.Now()
	out, code := c.tryFor(t, 10*time.Minute, "kubectl", "rollout", "status", "deployment/many", "--timeout=540s")
	if code != 0 {
		t.Fatalf("%s", out)
	}
	t.Logf("%d pods ready in %s", clusterPods, time.Since(began).Round(time.Second))
	maps := map[string]bool{}
	for line := range strings.Lines(c.do(t, "sh", "-c", "for p in /proc/[0-9]*; do ! grep -qs 'exit 0. TERM' $p/cmdline || cat $p/uid_map; done")) {
		maps[line] = !strings.Contains(line, "4294967295")
	}
	delete(maps, "         0          0 4294967295\n") // of this very search
	if len(maps) != clusterPods {
		t.Errorf("%d ranges of ids for %d pods", len(maps), clusterPods)
	}
	began = time.Now()
	c.gone(t, "deployment/many")
	c.kubectl(t, "wait", "--for=delete", "pods", "-l", "app=many", "--timeout=170s")
	t.Logf("and gone in %s", time.Since(began).Round(time.Second))
	c.noneLeft(t)
}

// noneLeft waits until hatchdog holds no container.
func (c *cluster) noneLeft(t *testing.T) {
	t.Helper()
	waitFor(t, "the records to go", func() bool { return c.do(t, "hatchctl", "list", "--needed") == "" })
}

// A drained node gives everything back: the handler, the programs, the policy.
func clusterUninstall(t *testing.T, c *cluster) {
	c.apply(t, deployment("last", 2, sleeps))
	c.kubectl(t, "rollout", "status", "deployment/last", "--timeout=90s")
	// Before the node is drained it must not happen.
	c.kubectl(t, "apply", "-k", c.dir+"/deploy/uninstall")
	waitFor(t, "the uninstaller to say what it waits for", func() bool {
		log, _ := c.try(t, "kubectl", "-n", "hatchdog-system", "logs", "-l", "app.kubernetes.io/name=hatchdog", "-c", "install")
		return strings.Contains(log, "drain the node")
	})
	c.kubectl(t, "drain", "node1", "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=120s")
	waitFor(t, "the uninstaller", func() bool {
		out, _ := c.try(t, "kubectl", "-n", "hatchdog-system", "get", "daemonset/hatchdog-node", "-o", "jsonpath={.status.numberReady} {.status.updatedNumberScheduled}")
		return out == "1 1"
	})
	if got := read(t, c.file("/etc/containerd/config.toml")); got != read(t, "testdata/cluster/containerd.toml") {
		t.Errorf("containerd's configuration is not what it was:\n%s", got)
	}
	for _, place := range []string{"/usr/local/bin", "/etc/hatchdog", "/run/hatchdog", "/var/lib/hatchdog"} {
		if out, _ := c.try(t, "find", place, "!", "-type", "d"); strings.TrimSpace(out) != "" && !strings.Contains(out, "No such file") {
			t.Errorf("left: %s", out)
		}
	}
	c.kubectl(t, "delete", "--wait", "--timeout=120s", "-k", c.dir+"/deploy/uninstall")
	c.kubectl(t, "uncordon", "node1")
	// Without it the node is a node.
	c.apply(t, strings.Replace(podYAML("plain", "x", sleeps), "  runtimeClassName: x\n", "", 1))
	c.ready(t, "pod/plain")
	c.gone(t, "pod/plain", "--grace-period=1")
}

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func clusterPod(t *testing.T, c *cluster) {
	c.apply(t, podYAML("first", "hatchdog", sleeps))
	c.ready(t, "pod/first")
	c.confined(t, "first")
	// The account's token is a volume in memory; a pod can read its own.
	wantLines(t, c.inside(t, "first", "ls", "/var/run/secrets/kubernetes.io/serviceaccount"), "ca.crt", "namespace", "token")
	explained := c.do(t, "hatchctl", "explain", "default/first/c")
	wantLines(t, explained, "of cri pod default/first container c", criImage)
	c.gone(t, "pod/first")
}

// The other door: our own shim, which containerd finds by its type.
func clusterShim(t *testing.T, c *cluster) {
	c.apply(t, podYAML("shim", "hatchdog-shim", sleeps))
	c.ready(t, "pod/shim")
	c.confined(t, "shim")
	wantLines(t, c.do(t, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'"), "containerd-shim-hatchdog-v1")
	c.apply(t, podYAML("shim-priv", "hatchdog-shim", sleeps, "    securityContext: {privileged: true}\n"))
	c.refusedAs(t, "shim-priv", "default/shim-priv/c")
	c.gone(t, "pod/shim", "pod/shim-priv")
}

func clusterStreams(t *testing.T, c *cluster) {
	c.apply(t, podYAML("streams", "hatchdog", "mkdir -p /tmp/w; echo served >/tmp/w/index.html; httpd -p 8080 -h /tmp/w; while read -r line; do echo heard $line; done; echo EOF; "+sleeps, "    stdin: true\n"))
	c.ready(t, "pod/streams")
	if out, code := c.try(t, "kubectl", "exec", "streams", "--", "sh", "-c", "echo out; echo err >&2; exit 7"); code != 7 || !strings.Contains(out, "out") || !strings.Contains(out, "err") {
		t.Errorf("exec: exit code %d, %q", code, out)
	}
	cmd := c.command("kubectl", "exec", "-i", "streams", "--", "sh", "-c", "cat; grep NoNewPrivs /proc/self/status")
	cmd.Stdin = strings.NewReader("over stdin\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("exec -i: %v", err)
	}
	wantLines(t, string(out), "over stdin", "NoNewPrivs:\t1")

	cmd = c.command("kubectl", "attach", "-i", "streams")
	cmd.Stdin = strings.NewReader("attached\n")
	_ = cmd.Run() // how it ends is kubectl's affair
	waitFor(t, "what attach said, in the log", func() bool {
		log, _ := c.try(t, "kubectl", "logs", "streams")
		return strings.Contains(log, "heard attached")
	})

	forward := c.command("kubectl", "port-forward", "pod/streams", "18080:8080")
	must(t, forward.Start())
	t.Cleanup(func() {
		c.try(t, "sh", "-c", "kill $(grep -l 18080:8080 /proc/[0-9]*/cmdline | cut -d/ -f3) 2>/dev/null")
		_ = forward.Wait()
	})
	waitFor(t, "the forwarded port", func() bool {
		got, _ := c.try(t, "busybox", "wget", "-q", "-O-", "http://127.0.0.1:18080/")
		return strings.Contains(got, "served")
	})

	file := filepath.Join(c.dir, "sent")
	must(t, os.WriteFile(file, []byte("copied\n"), 0o644))
	c.kubectl(t, "cp", file, "streams:/tmp/w/sent")
	wantLines(t, c.inside(t, "streams", "cat", "/tmp/w/sent"), "copied")
	c.gone(t, "pod/streams")
}

func clusterProbes(t *testing.T, c *cluster) {
	c.apply(t, podYAML("probes", "hatchdog", "mkdir -p /tmp/w; echo ok >/tmp/w/live; httpd -p 8080 -h /tmp/w; "+sleeps, `    startupProbe: {exec: {command: [test, -e, /tmp/started]}, periodSeconds: 1, failureThreshold: 60}
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    livenessProbe: {httpGet: {path: /live, port: 8080}, periodSeconds: 1, failureThreshold: 2}
    lifecycle: {postStart: {exec: {command: [touch, /tmp/started]}}}
`))
	c.ready(t, "pod/probes")
	c.inside(t, "probes", "rm", "/tmp/w/live")
	waitFor(t, "a restart, and its end", func() bool {
		out, _ := c.try(t, "kubectl", "get", "pod/probes", "-o", "jsonpath={.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].ready}")
		return strings.HasSuffix(out, " true") && !strings.HasPrefix(out, "0")
	})
	c.confined(t, "probes")
	c.gone(t, "pod/probes")
}

// Limits that change while the pod runs reach its control group, and it is the
// same process.
func clusterResize(t *testing.T, c *cluster) {
	c.apply(t, podYAML("resized", "hatchdog", sleeps, "    resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}\n"))
	c.ready(t, "pod/resized")
	started := c.inside(t, "resized", "cut", "-d", " ", "-f", "22", "/proc/1/stat")
	c.kubectl(t, "patch", "pod/resized", "--subresource", "resize", "--patch",
		`{"spec":{"containers":[{"name":"c","resources":{"requests":{"cpu":"100m"},"limits":{"cpu":"400m","memory":"96Mi"}}}]}}`)
	waitFor(t, "the new limits", func() bool {
		out, _ := c.try(t, "kubectl", "get", "pod/resized", "-o", "jsonpath={.status.containerStatuses[0].resources.limits}")
		return strings.Contains(out, "400m") && strings.Contains(out, "96Mi")
	})
	if got := c.inside(t, "resized", "cut", "-d", " ", "-f", "22", "/proc/1/stat"); got != started {
		t.Error("the container was restarted")
	}
	c.confined(t, "resized")
	c.gone(t, "pod/resized")
}

// A pod that is deleted hears of it, and has its time.
func clusterGraceful(t *testing.T, c *cluster) {
	place := filepath.Join(c.dir, "graceful")
	must(t, os.MkdirAll(place, 0o777))
	must(t, os.Chmod(place, 0o777))
	yaml := podYAML("graceful", "hatchdog", "trap 'sleep 2; echo told >/place/told; exit 0' TERM; sleep 3600 & wait", `    lifecycle: {preStop: {exec: {command: [touch, /place/hook]}}}
    volumeMounts: [{name: place, mountPath: /place}]
  volumes: [{name: place, hostPath: {path: `+place+`}}]
`)
	c.apply(t, strings.Replace(yaml, "GracePeriodSeconds: 1", "GracePeriodSeconds: 20", 1))
	c.ready(t, "pod/graceful")
	c.gone(t, "pod/graceful")
	wantLines(t, read(t, place+"/told"), "told")
	if _, err := os.Stat(place + "/hook"); err != nil {
		t.Error(err)
	}
}

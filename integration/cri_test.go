package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCRI(t *testing.T) {
	startOutside(t) // before the pod: the host's addresses are those at its start
	k := startCRI(t)
	config := pod("apps", "web", object{}, nil)
	sandbox, failure := k.sandbox(t, config)
	if failure != "" {
		t.Fatal(failure)
	}
	a, failure := k.container(t, sandbox, config, "a", object{})
	if failure != "" {
		t.Fatal(failure)
	}
	b, failure := k.container(t, sandbox, config, "b", object{"securityContext": object{"runAsUser": object{"value": 1000}}})
	if failure != "" {
		t.Fatal(failure)
	}
	wantLines(t, k.exec(t, a, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	wantLines(t, k.exec(t, b, "grep", "-E", "CapBnd|Uid", "/proc/self/status"), "CapBnd:\t0000000000000000", "Uid:\t1000")
	if x, y := k.exec(t, a, "readlink", "/proc/self/ns/net"), k.exec(t, b, "readlink", "/proc/self/ns/net"); x != y || x == "" {
		t.Errorf("the containers of a pod do not share its network: %s %s", x, y)
	}
	// The containers of a pod share a user namespace of its own; the pod's
	// network belongs to the host's.
	if x, y := k.exec(t, a, "cat", "/proc/self/uid_map"), k.exec(t, b, "cat", "/proc/self/uid_map"); x != y || strings.Contains(x, "4294967295") || !strings.Contains(x, "65536") {
		t.Errorf("mappings in a pod: %q and %q", x, y)
	}
	if x, y := k.exec(t, a, "readlink", "/proc/self/ns/user"), k.exec(t, b, "readlink", "/proc/self/ns/user"); x != y || x == "" {
		t.Errorf("user namespaces in a pod: %q and %q", x, y)
	}
	if got := k.exec(t, a, "ls", "/sys/class/net"); !strings.Contains(got, "eth0") || !strings.Contains(got, "lo") {
		t.Errorf("sysfs is not of the pod's network: %q", got)
	}
	wantLines(t, k.exec(t, b, "stat", "-c", "%u:%g", "/etc/hosts", "/bin/busybox", "/dev/shm"), "0:0\n0:0\n0:0")
	if got := k.exec(t, a, "cat", "/proc/kallsyms"); got != "" {
		t.Error("no masked paths were sent, and none were added")
	}
	t.Run("network rules", func(t *testing.T) { podsNetwork(t, k, a, b) })
	out := mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "explain", a)
	wantLines(t, out, ", of cri pod apps/web container a image "+criImage, "builtin/restricted")

	byName := mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "explain", "apps/web/a")
	if byName != out {
		t.Errorf("by its name in the pod:\n%s", byName)
	}
	wantLines(t, mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "explain", "apps/web"), sandbox+", of cri pod apps/web")
	wantLines(t, mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "net", "apps/web/b"), "out, by ")

	runDir := t.TempDir()
	must(t, os.Symlink(k.dir+"/state", runDir+"/containerd"))
	out = mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "list", "--run-dir", runDir)
	if strings.Count(out, "yes") != 3 || strings.Contains(out, " NO ") {
		t.Errorf("want the sandbox and two containers, once each:\n%s", out)
	}
	if !regexp.MustCompile(`apps/web/a\s+`+regexp.QuoteMeta(criImage)+`\s+yes`).MatchString(out) || !regexp.MustCompile(`apps/web\s+\S+\s+yes`).MatchString(out) {
		t.Errorf("without names:\n%s", out)
	}

	t.Run("privileged", func(t *testing.T) {
		_, failure := k.sandbox(t, pod("apps", "priv", object{"securityContext": object{"privileged": true, "namespaceOptions": object{"network": "NODE", "pid": "CONTAINER"}}}, nil))
		if failure == "" {
			t.Fatal("a privileged pod on the host's network was started")
		}
		wantLines(t, failure, "refused by policy", "linux.namespaces[network]", "namespaces.host")
		plain := pod("apps", "priv2", object{"securityContext": object{"privileged": true}}, nil)
		id, failure := k.sandbox(t, plain)
		if failure != "" {
			t.Fatal(failure)
		}
		_, failure = k.container(t, id, plain, "p", object{"securityContext": object{"privileged": true}})
		wantLines(t, failure, "refused by policy", "linux.devices")
		// Privileged is what it asks for; what it gets is the profile's.
		for namespace, devices := range map[string]string{"drivers": "kmsg", "legacy": ""} {
			named := pod(namespace, "priv", object{"securityContext": object{"privileged": true}}, nil)
			id, failure := k.sandbox(t, named)
			if failure != "" {
				t.Fatal(failure)
			}
			c, failure := k.container(t, id, named, "p", object{"securityContext": object{"privileged": true}})
			if failure != "" {
				t.Fatalf("the policy admits it for this namespace: %s", failure)
			}
			wantLines(t, k.exec(t, c, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t00000000000405fb", "NoNewPrivs:\t1")
			if got := k.exec(t, c, "sh", "-c", "cd /dev && ls kmsg 2>/dev/null"); strings.TrimSpace(got) != devices {
				t.Errorf("%s: %s", namespace, got)
			}
		}
	})
	t.Run("host network", func(t *testing.T) {
		network := object{"securityContext": object{"namespaceOptions": object{"network": "NODE"}}}
		_, failure := k.sandbox(t, pod("apps", "hostnet", network, nil))
		wantLines(t, failure, "refused by policy", "linux.namespaces[network]")
		if _, failure := k.sandbox(t, pod("system", "hostnet", network, nil)); failure != "" {
			t.Errorf("the policy admits it for this namespace: %s", failure)
		}
	})
	t.Run("annotations only narrow", func(t *testing.T) {
		chosen := pod("apps", "chosen", object{}, object{"hatchdog.dev/profile": "untrusted"})
		id, failure := k.sandbox(t, chosen)
		if failure != "" {
			t.Fatal(failure)
		}
		c, failure := k.container(t, id, chosen, "c", object{})
		if failure != "" {
			t.Fatal(failure)
		}
		wantLines(t, k.exec(t, c, "grep", "CapEff", "/proc/self/status"), "CapEff:\t0000000000000000")
		_, failure = k.sandbox(t, pod("apps", "greedy", object{}, object{"hatchdog.dev/profile": "baseline"}))
		wantLines(t, failure, "not offered by the policy")
	})
	t.Run("shim", func(t *testing.T) { podUnderShim(t, k) })
	k.removeAll(t)
	if left, _ := filepath.Glob(k.dir + "/state/*/*/record.json"); len(left) > 0 {
		t.Errorf("records are left: %v", left)
	}
}

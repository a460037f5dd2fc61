package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// The replicas of a container in pods are recorded together, by the labels that
// Kubernetes gives them, and the other containers of the pods are not.
func TestLearnInPods(t *testing.T) {
	k := startCRI(t)
	hatchctl := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(tested.hatchctl, append([]string{"--policy", k.policy}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("hatchctl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	recordings := map[string][]string{
		"web":  {"--label", "io.kubernetes.pod.namespace=apps", "--label", "io.kubernetes.pod.name=web-*", "--label", "io.kubernetes.container.name=server"},
		"pod":  {"apps/web-1"},
		"side": {"apps/web-2/side"},
	}
	for name, which := range recordings {
		t.Cleanup(func() { _ = exec.Command(tested.hatchctl, "--policy", k.policy, "learn", "stop", name).Run() })
		hatchctl(append([]string{"learn", "start", "--as", name}, which...)...)
	}
	// A kubelet asks for a pid namespace of each container's own.
	linux := object{"securityContext": object{"namespaceOptions": object{"pid": "CONTAINER"}}}
	start := func(name, container, script string) {
		t.Helper()
		config := pod("apps", name, object{}, nil)
		sandbox, failure := k.sandbox(t, config)
		if failure != "" {
			t.Fatal(failure)
		}
		for _, c := range [][2]string{{container, script}, {"side", "sleep 1; stty -a; sleep 3600"}} {
			own := object{"metadata": object{"name": c[0]}, "command": []string{"sh", "-c", c[1]}, "linux": linux}
			if _, failure := k.containerOf(t, sandbox, config, own); failure != "" {
				t.Fatal(failure)
			}
		}
	}
	start("web-1", "server", "sleep 1; mkdir /tmp/d; nc -l -p 8080 & sleep 3600")
	start("web-2", "server", "sleep 1; ln -s x /tmp/l; sleep 3600")
	start("other", "server", "sleep 1; mkfifo /tmp/f; sleep 3600")
	waitFor(t, "what they did", func() bool {
		out, _ := exec.Command(tested.hatchctl, "--policy", k.policy, "learn", "show", "web").CombinedOutput()
		return strings.Contains(string(out), `"symlink": 1`) && strings.Contains(string(out), `:8080/tcp`)
	})
	for name := range recordings {
		hatchctl("learn", "stop", name)
	}
	for name, c := range map[string]struct{ is, not []string }{
		"web":  {[]string{"from 2 runs", `"mkdir`, `"symlink`, ":8080/tcp"}, []string{`"mknod`, "ioctl 0x5401"}},
		"pod":  {[]string{"from 2 runs", `"mkdir`, ":8080/tcp"}, []string{`"mknod`, `"symlink": 1`}},
		"side": {[]string{"from 1 runs"}, []string{`"mkdir": 1`, `"symlink": 1`, ":8080/tcp"}},
	} {
		text := hatchctl("learn", "show", name)
		for _, want := range c.is {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s is missing:\n%s", name, want, text)
			}
		}
		for _, other := range c.not {
			if strings.Contains(text, other) {
				t.Errorf("%s: %s is of another container:\n%s", name, other, text)
			}
		}
	}
}

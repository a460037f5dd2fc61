package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// handlers are the two ways from a RuntimeClass to hatchdog: BinaryName, and
// the shim.
var handlers = []string{"hatchdog", "shim"}

// stream runs the test's client in the network of containerd, whose streaming
// server listens on loopback.
func (k *kubelet) stream(t *testing.T, kind, address, in string) (out, errs string) {
	t.Helper()
	cmd := exec.Command("nsenter", "--net="+k.network, k.client, kind, address)
	cmd.Stdin = strings.NewReader(in)
	var o, e strings.Builder
	cmd.Stdout, cmd.Stderr = &o, &e
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(&e, err)
	}
	return o.String(), e.String()
}

// What a pod's owner does with it, and what its end leaves.
func TestCRILife(t *testing.T) {
	k := startCRI(t)
	for _, handler := range handlers {
		t.Run(handler, func(t *testing.T) {
			t.Run("exec", func(t *testing.T) { criExec(t, k, handler) })
			t.Run("port-forward", func(t *testing.T) { criPortForward(t, k, handler) })
			t.Run("logs", func(t *testing.T) { criLogs(t, k, handler) })
			t.Run("user namespace", func(t *testing.T) { criUserNamespace(t, k, handler) })
			t.Run("restart", func(t *testing.T) { criRestart(t, k, handler) })
			t.Run("30 pods", func(t *testing.T) { criMany(t, k, handler) })
			k.removeAll(t)
			if left, _ := filepath.Glob(k.dir + "/state/*/*/record.json"); len(left) > 0 {
				t.Errorf("records are left: %v", left)
			}
		})
	}
}

// Both kinds of exec are held to the container's profile; input, output and
// the exit code go through.
func criExec(t *testing.T, k *kubelet, handler string) {
	_, id := k.one(t, handler, pod("apps", "exec-"+handler, object{}, nil))
	wantLines(t, k.exec(t, id, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	answer := k.do(t, "ExecSync", object{"containerId": id, "cmd": []string{"sh", "-c", "exit 7"}, "timeout": 30})
	if answer["exitCode"] != float64(7) {
		t.Errorf("the exit code is lost: %v", answer)
	}
	address, _ := k.do(t, "Exec", object{
		"containerId": id, "stdin": true, "stdout": true, "stderr": true,
		"cmd": []string{"sh", "-c", "read x; echo got $x; grep -E 'CapEff|NoNew' /proc/self/status; echo complaint >&2; exit 5"},
	})["url"].(string)
	out, errs := k.stream(t, "exec", address, "a word\n")
	wantLines(t, out, "got a word", "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	wantLines(t, errs, "complaint", `"message":"5"`)
	address, _ = k.do(t, "Exec", object{"containerId": id, "tty": true, "stdin": true, "stdout": true, "cmd": []string{"tty"}})["url"].(string)
	if out, errs := k.stream(t, "exec", address, ""); !strings.Contains(out, "/dev/pts/") {
		t.Errorf("no terminal: %s%s", out, errs)
	}
}

func criPortForward(t *testing.T, k *kubelet, handler string) {
	sandbox, id := k.one(t, handler, pod("apps", "port-"+handler, object{}, nil))
	k.exec(t, id, "httpd", "-p", "8080", "-h", "/etc")
	address, _ := k.do(t, "PortForward", object{"podSandboxId": sandbox, "port": []int{8080}})["url"].(string)
	out, errs := k.stream(t, "port-forward", address, "GET /passwd HTTP/1.0\r\n\r\n")
	if !strings.HasPrefix(out, "HTTP/1.") || !strings.Contains(out, "200") {
		t.Errorf("%s%s", out, errs)
	}
}

func criLogs(t *testing.T, k *kubelet, handler string) {
	config := pod("apps", "logs-"+handler, object{}, nil)
	config["logDirectory"] = filepath.Join(k.dir, "logs-"+handler)
	must(t, os.MkdirAll(config["logDirectory"].(string), 0o755))
	sandbox, failure := k.sandboxOf(t, handler, config)
	if failure != "" {
		t.Fatal(failure)
	}
	_, failure = k.containerOf(t, sandbox, config, object{
		"metadata": object{"name": "talks"}, "logPath": "talks.log", "command": []string{"sh", "-c", "echo a word; echo a complaint >&2; sleep 3600"},
	})
	if failure != "" {
		t.Fatal(failure)
	}
	log := filepath.Join(config["logDirectory"].(string), "talks.log")
	waitFor(t, "both lines", func() bool {
		text := read(t, log)
		return strings.Contains(text, " stdout F a word\n") && strings.Contains(text, " stderr F a complaint\n")
	})
}

// hostUsers: false gives the pod a range of the kubelet's.
func criUserNamespace(t *testing.T, k *kubelet, handler string) {
	ids := []any{object{"hostId": 3014656, "containerId": 0, "length": 65536}}
	config := pod("users", "userns-"+handler, object{"securityContext": object{"namespaceOptions": object{
		"pid": "CONTAINER", "usernsOptions": object{"mode": "POD", "uids": ids, "gids": ids},
	}}}, nil)
	_, id := k.one(t, handler, config)
	if got := strings.Fields(k.exec(t, id, "cat", "/proc/self/uid_map")); strings.Join(got, " ") != "0 3014656 65536" {
		t.Errorf("uid_map: %v", got)
	}
	wantLines(t, k.exec(t, id, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	wantLines(t, k.exec(t, id, "sh", "-c", "touch /mine && stat -c %u /mine /bin/busybox"), "0\n0")
}

// containerd may end and come back: its pods run on, and can be entered and
// stopped.
func criRestart(t *testing.T, k *kubelet, handler string) {
	sandbox, id := k.one(t, handler, pod("apps", "restart-"+handler, object{}, nil))
	started := k.exec(t, id, "cut", "-d", " ", "-f", "22", "/proc/1/stat")
	stop(k.daemon)
	k.start(t)
	if got := k.exec(t, id, "cut", "-d", " ", "-f", "22", "/proc/1/stat"); got != started || strings.TrimSpace(got) == "" {
		t.Errorf("the container was started at %s, and now at %s", started, got)
	}
	wantLines(t, k.exec(t, id, "grep", "-E", "CapEff|NoNew", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
	k.do(t, "StopContainer", object{"containerId": id, "timeout": 1})
	k.do(t, "RemoveContainer", object{"containerId": id})
	k.do(t, "StopPodSandbox", object{"podSandboxId": sandbox})
	k.do(t, "RemovePodSandbox", object{"podSandboxId": sandbox})
}

// criMany: 30 pods of one container, four at a time, each with its record, and
// none of them after their end.
func criMany(t *testing.T, k *kubelet, handler string) {
	k.removeAll(t)
	const pods, workers = 30, 4
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < pods; i += workers {
				config := pod("apps", fmt.Sprintf("many-%s-%d", handler, i), object{}, nil)
				sandbox, failure := k.sandboxOf(t, handler, config)
				if failure != "" {
					t.Error(failure)
					return
				}
				if _, failure := k.container(t, sandbox, config, "c", object{}); failure != "" {
					t.Error(failure)
				}
			}
		})
	}
	wg.Wait()
	out := mustRun(t, tested.hatchctl, "--policy", k.policy, "list", "--needed")
	if got := strings.Count(out, "\n"); got != 2*pods {
		t.Errorf("%d containers are listed, want %d", got, 2*pods)
	}
	k.removeAll(t)
	if out := mustRun(t, tested.hatchctl, "--policy", k.policy, "list", "--needed"); out != "" {
		t.Errorf("left:\n%s", out)
	}
}

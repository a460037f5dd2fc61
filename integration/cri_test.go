package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubelet speaks CRI to a containerd as the kubelet does.
type kubelet struct {
	dir, client, socket string
}

const criImage = "docker.io/library/busybox:1"

// containerd gives a pod on the host's network the host's uts namespace too.
func startCRI(t *testing.T) *kubelet {
	t.Helper()
	k := &kubelet{dir: filepath.Join(tested.dir, "cri"), client: filepath.Join(tested.dir, "bin", "cri")}
	k.socket = k.dir + "/containerd.sock"
	build := exec.Command("go", "-C", "cri", "build", "-o", k.client, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	policy := policyFile(t, k.dir, "offers: [untrusted]\nrules:\n  - match: {engine: cri, namespace: system}\n    profile: baseline\n    namespaces: {host: [network, uts]}\n    egress: {default: allow, allow: [], deny: []}\n")
	program := cached(t, "containerd-v*/containerd")
	must(t, os.MkdirAll(k.dir+"/net.d", 0o755))
	network := fmt.Sprintf(`{"cniVersion":"0.4.0","name":"hatchdog-it","plugins":[{"type":"bridge","bridge":"hd0","isGateway":true,
"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"10.212.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}`, k.dir+"/cni")
	must(t, os.WriteFile(k.dir+"/net.d/10-it.conflist", []byte(network), 0o600))
	config := fmt.Sprintf(`version = 3
root = %[1]q
state = %[2]q
[grpc]
address = %[3]q
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = %[4]q
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = %[5]q
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.hatchdog]
runtime_type = "io.containerd.runc.v2"
pod_annotations = ["hatchdog.dev/*"]
container_annotations = ["hatchdog.dev/*"]
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.hatchdog.options]
BinaryName = %[6]q
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.shim]
runtime_type = "io.containerd.hatchdog.v1"
pod_annotations = ["hatchdog.dev/*"]
container_annotations = ["hatchdog.dev/*"]
`, k.dir+"/root", k.dir+"/state", k.socket, criImage, k.dir+"/net.d", tested.hatchdog)
	must(t, os.WriteFile(k.dir+"/config.toml", []byte(config), 0o600))
	_, before := os.Stat("/var/lib/cni")
	cmd := daemon(t, k.dir+"/containerd.log", []string{"HATCHDOG_POLICY=" + policy, "PATH=" + buildShim(t) + ":" + filepath.Dir(program) + ":" + os.Getenv("PATH")}, program, "--config", k.dir+"/config.toml")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := run(t, "tail", "-n", "20", k.dir+"/containerd.log")
			t.Log(log)
		}
		k.removeAll(t)
		stop(cmd)
		killMatching(k.dir)
		unmountBelow(k.dir)
		if before != nil {
			_ = os.RemoveAll("/var/lib/cni") // libcni's cache
		}
	})
	ctr := filepath.Join(filepath.Dir(program), "ctr")
	waitFor(t, "containerd with CRI", func() bool {
		_, code := run(t, ctr, "-a", k.socket, "version")
		return code == 0
	})
	importArchive(t, ctr, k.socket, "k8s.io", criImage, ociArchive(t, criImage, busyboxTar(t), "sleep", "3600"))
	return k
}

type object = map[string]any

// try calls a method.
func (k *kubelet) try(t *testing.T, method string, request object) (object, string) {
	t.Helper()
	in, err := json.Marshal(request)
	must(t, err)
	cmd := exec.Command(k.client, k.socket, method)
	cmd.Stdin = strings.NewReader(string(in))
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, errs.String()
	}
	answer := object{}
	must(t, json.Unmarshal(out, &answer))
	return answer, ""
}

func (k *kubelet) do(t *testing.T, method string, request object) object {
	t.Helper()
	answer, failure := k.try(t, method, request)
	if failure != "" {
		t.Fatalf("%s: %s", method, failure)
	}
	return answer
}

func (k *kubelet) removeAll(t *testing.T) {
	answer, _ := k.try(t, "ListPodSandbox", object{})
	items, _ := answer["items"].([]any)
	for _, item := range items {
		id := item.(object)["id"]
		k.try(t, "StopPodSandbox", object{"podSandboxId": id})
		k.try(t, "RemovePodSandbox", object{"podSandboxId": id})
	}
}

func pod(namespace, name string, linux, annotations object) object {
	return object{
		"metadata": object{"name": name, "uid": "uid-" + name, "namespace": namespace},
		"linux":    linux, "annotations": annotations, "logDirectory": "/tmp",
	}
}

func (k *kubelet) sandbox(t *testing.T, config object) (string, string) {
	t.Helper()
	return k.sandboxOf(t, "hatchdog", config)
}

// sandboxOf starts a pod of a RuntimeClass's handler.
func (k *kubelet) sandboxOf(t *testing.T, handler string, config object) (string, string) {
	t.Helper()
	answer, failure := k.try(t, "RunPodSandbox", object{"config": config, "runtimeHandler": handler})
	id, _ := answer["podSandboxId"].(string)
	return id, failure
}

// container creates and starts one in a pod.
func (k *kubelet) container(t *testing.T, sandbox string, config object, name string, linux object) (string, string) {
	t.Helper()
	answer := k.do(t, "CreateContainer", object{
		"podSandboxId": sandbox, "sandboxConfig": config,
		"config": object{"metadata": object{"name": name}, "image": object{"image": criImage}, "command": []string{"sleep", "3600"}, "linux": linux, "logPath": ""},
	})
	id, _ := answer["containerId"].(string)
	_, failure := k.try(t, "StartContainer", object{"containerId": id})
	return id, failure
}

func (k *kubelet) exec(t *testing.T, id string, command ...string) string {
	t.Helper()
	answer := k.do(t, "ExecSync", object{"containerId": id, "cmd": command, "timeout": 30})
	text, _ := answer["stdout"].(string)
	out, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return string(out)
}

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

	runDir := t.TempDir()
	must(t, os.Symlink(k.dir+"/state", runDir+"/containerd"))
	out = mustRun(t, tested.hatchctl, "--policy", k.dir+"/policy.yaml", "list", "--run-dir", runDir)
	if strings.Count(out, "yes") != 3 || strings.Contains(out, " NO ") {
		t.Errorf("want the sandbox and two containers, once each:\n%s", out)
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

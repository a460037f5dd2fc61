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
	dir, client, socket, network string

	program, policy string
	daemon          *exec.Cmd
}

const criImage = "docker.io/library/busybox:1"

// criPolicy names namespaces whose pods may have more. containerd gives a pod on
// the host's network the host's uts namespace too. In a user namespace that
// containerd made, runc can set no limit where the host's root has no
// CAP_SYS_RESOURCE, as on some machines that test this.
const criPolicy = `offers: [untrusted]
rules:
  - match: {engine: cri, namespace: system}
    profile: baseline
    namespaces: {host: [network, uts]}
    egress: {default: allow, allow: [], deny: []}
  - match: {engine: cri, namespace: drivers}
    profile: baseline
    devices: {allow: [{type: c, access: rwm}, {type: b, access: rwm}]}
  - match: {engine: cri, namespace: legacy}
    profile: baseline
    onExcess: {devices: tighten}
  - match: {engine: cri, namespace: users}
    profile: restricted
    privilege: {rlimits: {RLIMIT_CORE: {max: 0, force: false}}}
`

func startCRI(t *testing.T) *kubelet {
	t.Helper()
	k := &kubelet{dir: filepath.Join(tested.dir, "cri"), client: buildClient(t)}
	k.socket = k.dir + "/containerd.sock"
	policy := policyFile(t, k.dir, criPolicy)
	program := cached(t, "containerd-v*/containerd")
	must(t, os.MkdirAll(k.dir+"/net.d", 0o755))
	ns, err := netns()
	must(t, err)
	k.network = ns
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
[plugins.'io.containerd.cri.v1.images'.registry]
config_path = %[8]q
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
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.plain]
runtime_type = "io.containerd.runc.v2"
pod_annotations = ["hatchdog.dev/*"]
container_annotations = ["hatchdog.dev/*"]
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.plain.options]
BinaryName = %[7]q
`, k.dir+"/root", k.dir+"/state", k.socket, criImage, k.dir+"/net.d", tested.hatchdog, pinnedRunc(t), k.dir+"/registries")
	must(t, os.WriteFile(k.dir+"/config.toml", []byte(config), 0o600))
	_, before := os.Stat("/var/lib/cni")
	k.program, k.policy = program, policy
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := run(t, "tail", "-n", "20", k.dir+"/containerd.log")
			t.Log(log)
		}
		k.removeAll(t)
		stop(k.daemon)
		killMatching(k.dir)
		unmountBelow(k.dir)
		if before != nil {
			_ = os.RemoveAll("/var/lib/cni") // libcni's cache
		}
	})
	k.start(t)
	importArchive(t, k.ctr(), k.socket, "k8s.io", criImage, ociArchive(t, criImage, busyboxTar(t), "sleep", "3600"))
	return k
}

// buildClient builds what speaks CRI.
func buildClient(t *testing.T) string {
	t.Helper()
	client := filepath.Join(tested.dir, "bin", "cri")
	if os.Getenv("HATCHDOG_TESTED") != "" {
		return client // built elsewhere
	}
	build := exec.Command("go", "-C", "cri", "build", "-o", client, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	return client
}

func (k *kubelet) ctr() string { return filepath.Join(filepath.Dir(k.program), "ctr") }

// start starts containerd, the first time and again.
func (k *kubelet) start(t *testing.T) {
	t.Helper()
	k.daemon = daemon(t, k.dir+"/containerd.log", []string{"HATCHDOG_POLICY=" + k.policy, "PATH=" + buildShim(t) + ":" + filepath.Dir(k.program) + ":" + os.Getenv("PATH")}, k.program, "--config", k.dir+"/config.toml")
	waitFor(t, "containerd with CRI", func() bool { return k.isReady(t) })
}

// isReady asks whether it, and its network, can take pods.
func (k *kubelet) isReady(t *testing.T) bool {
	t.Helper()
	answer, failure := k.try(t, "Status", object{})
	if failure != "" {
		return false
	}
	status, _ := answer["status"].(object)
	conditions, _ := status["conditions"].([]any)
	ready := 0
	for _, c := range conditions {
		what := c.(object)
		if ok, _ := what["status"].(bool); ok && (what["type"] == "RuntimeReady" || what["type"] == "NetworkReady") {
			ready++
		}
	}
	return ready == 2
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
		"linux":    linux, "annotations": annotations,
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

// container creates and starts one in a pod, which sleeps.
func (k *kubelet) container(t *testing.T, sandbox string, config object, name string, linux object) (string, string) {
	t.Helper()
	return k.containerOf(t, sandbox, config, object{"metadata": object{"name": name}, "command": []string{"sleep", "3600"}, "linux": linux})
}

func (k *kubelet) containerOf(t *testing.T, sandbox string, config, own object) (string, string) {
	t.Helper()
	own["image"] = object{"image": criImage, "userSpecifiedImage": criImage}
	answer := k.do(t, "CreateContainer", object{"podSandboxId": sandbox, "sandboxConfig": config, "config": own})
	id, _ := answer["containerId"].(string)
	_, failure := k.try(t, "StartContainer", object{"containerId": id})
	return id, failure
}

// one starts a pod of one container.
func (k *kubelet) one(t *testing.T, handler string, config object) (sandbox, id string) {
	t.Helper()
	sandbox, failure := k.sandboxOf(t, handler, config)
	if failure != "" {
		t.Fatal(failure)
	}
	linux := object{}
	if c, ok := config["linux"].(object)["securityContext"]; ok {
		linux["securityContext"] = c
	}
	id, failure = k.container(t, sandbox, config, "c", linux)
	if failure != "" {
		t.Fatal(failure)
	}
	return sandbox, id
}

func (k *kubelet) exec(t *testing.T, id string, command ...string) string {
	t.Helper()
	answer := k.do(t, "ExecSync", object{"containerId": id, "cmd": command, "timeout": 30})
	text, _ := answer["stdout"].(string)
	out, err := base64.StdEncoding.DecodeString(text)
	must(t, err)
	return string(out)
}

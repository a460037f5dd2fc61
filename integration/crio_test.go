package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startCRIO starts CRI-O, with what hatchctl install writes for it, and speaks to it
// as the kubelet does.
func startCRIO(t *testing.T) *kubelet {
	t.Helper()
	require(t, "crio")
	k := &kubelet{dir: filepath.Join(tested.dir, "crio"), client: buildClient(t)}
	k.socket, k.program = k.dir+"/crio.sock", cached(t, "crio-v*/crio")
	k.policy = policyFile(t, k.dir, criPolicy)
	ns, err := netnsOf("-crio")
	must(t, err)
	k.network = ns
	// hatchdog knows CRI-O by its bundles, which are below /run.
	run := fmt.Sprintf("/run/hatchdog-it-%d", os.Getpid())
	for _, dir := range []string{k.dir + "/net.d", k.dir + "/hooks", k.dir + "/home", run} {
		must(t, os.MkdirAll(dir, 0o755))
	}
	must(t, os.WriteFile(k.dir+"/net.d/10-it.conflist", fmt.Appendf(nil, `{"cniVersion":"0.4.0","name":"crio-it","plugins":[{"type":"bridge","bridge":"crio0","isGateway":true,
"ipam":{"type":"host-local","dataDir":%q,"ranges":[[{"subnet":"10.213.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}`, k.dir+"/cni"), 0o600))
	// Its monitor gives a runtime none of its environment.
	must(t, os.WriteFile(k.dir+"/hatchdog", fmt.Appendf(nil, "#!/bin/sh\nHATCHDOG_POLICY=%s exec %s \"$@\"\n", k.policy, tested.hatchdog), 0o755))
	must(t, os.WriteFile(k.dir+"/trust.json", []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o644))
	config := crioConfig
	for name, value := range map[string]string{
		"DIR": k.dir, "RUN": run, "IMAGE": criImage, "PLAIN": pinnedRunc(t), "PINNS": filepath.Join(filepath.Dir(k.program), "pinns"),
	} {
		config = strings.ReplaceAll(config, "@"+name, value)
	}
	must(t, os.WriteFile(k.dir+"/crio.conf", []byte(config), 0o644))
	mustRun(t, tested.hatchctl, "install", "crio", "--config", k.dir+"/crio.conf.d/99-hatchdog.conf", "--binary", k.dir+"/hatchdog")
	image := k.dir + "/image.tar"
	must(t, os.WriteFile(image, ociArchive(t, criImage, busyboxTar(t), "sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"), 0o644))
	mustRun(t, "podman", "--root", k.dir+"/storage", "--runroot", run+"/storage", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "load", "-q", "-i", image)
	mustRun(t, "podman", "--root", k.dir+"/storage", "--runroot", run+"/storage", "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "images")
	_, before := os.Stat("/var/lib/cni")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := exec.Command("grep", "-v", "level=info", k.dir+"/crio.log").Output()
			t.Log(string(log[max(0, len(log)-4000):]))
		}
		k.removeAll(t)
		stop(k.daemon)
		killMatching(k.dir)
		unmountBelow(k.dir)
		unmountBelow(run)
		removeGroups("/sys/fs/cgroup/*/crio*")
		_ = os.RemoveAll(run)
		if before != nil {
			_ = os.RemoveAll("/var/lib/cni") // libcni's cache
		}
	})
	k.daemon = daemonIn(t, ns, k.dir+"/crio.log", []string{"HOME=" + k.dir + "/home"}, k.program, "--config", k.dir+"/crio.conf", "--config-dir", k.dir+"/crio.conf.d")
	waitFor(t, "CRI-O", func() bool { return k.isReady(t) })
	return k
}

const crioConfig = `[crio]
root = "@DIR/storage"
runroot = "@RUN/storage"
storage_driver = "overlay"
log_dir = "@DIR/pods"
version_file = "@DIR/version"
clean_shutdown_file = "@DIR/clean"
[crio.api]
listen = "@DIR/crio.sock"
[crio.runtime]
conmon_cgroup = "pod"
cgroup_manager = "cgroupfs"
apparmor_profile = "unconfined"
hooks_dir = ["@DIR/hooks"]
container_exits_dir = "@DIR/exits"
container_attach_socket_dir = "@DIR/attach"
namespaces_dir = "@DIR/namespaces"
pinns_path = "@PINNS"
default_runtime = "runc"
[crio.runtime.runtimes.runc]
runtime_path = "@PLAIN"
monitor_path = "/usr/bin/conmon"
[crio.image]
pause_image = "@IMAGE"
pause_command = ""
namespaced_auth_dir = "@DIR/auth"
signature_policy_dir = "@DIR/policies"
signature_policy = "@DIR/trust.json"
[crio.network]
network_dir = "@DIR/net.d"
plugin_dirs = ["/usr/lib/cni"]
[crio.metrics]
enable_metrics = false
[crio.nri]
enable_nri = false
`

// Pods of both kinds: with a process of their own, which holds their namespaces, and
// without one, where CRI-O keeps them by files.
func TestCRIO(t *testing.T) {
	k := startCRIO(t)
	for kind, linux := range map[string]object{
		"process": {},
		"files":   {"namespaceOptions": object{"pid": "CONTAINER"}},
	} {
		t.Run(kind, func(t *testing.T) { crioPod(t, k, pod("apps", kind, object{"securityContext": linux}, nil), linux) })
	}
	t.Run("refusals", func(t *testing.T) {
		network := object{"securityContext": object{"namespaceOptions": object{"network": "NODE"}}}
		_, failure := k.sandbox(t, pod("apps", "hostnet", network, nil))
		wantLines(t, failure, "refused by policy", "linux.namespaces[network]")
		config := pod("apps", "mounts", object{"securityContext": object{"namespaceOptions": object{"pid": "CONTAINER"}}}, nil)
		sandbox, failure := k.sandbox(t, config)
		if failure != "" {
			t.Fatal(failure)
		}
		_, failure = k.try(t, "CreateContainer", object{"podSandboxId": sandbox, "sandboxConfig": config, "config": object{
			"metadata": object{"name": "c"}, "image": object{"image": criImage, "userSpecifiedImage": criImage}, "linux": config["linux"],
			"mounts": []object{{"containerPath": "/h", "hostPath": "/etc/shadow"}},
		}})
		wantLines(t, failure, "refused by policy", "mounts[/h].source")
	})
	t.Run("its own filter", func(t *testing.T) {
		config := pod("apps", "filter", object{}, nil)
		sandbox, failure := k.sandbox(t, config)
		if failure != "" {
			t.Fatal(failure)
		}
		id, failure := k.containerOf(t, sandbox, config, object{"metadata": object{"name": "c"}, "command": []string{"sh", "-c", sleeps}, "linux": object{
			"securityContext": object{"seccomp": object{"profileType": "RuntimeDefault"}},
		}})
		if failure != "" {
			t.Fatal(failure)
		}
		wantLines(t, k.exec(t, id, "sh", "-c", "ip addr 2>&1; true"), "127.0.0.1")
		if said := mustRun(t, tested.hatchctl, "--policy", k.policy, "explain", "--wide", id); strings.Contains(said, "PROGRAMS DO NOT RUN WITHOUT THIS") {
			t.Errorf("it lost more than the profile denies:\n%s", said)
		}
	})
	k.removeAll(t)
	if left, _ := filepath.Glob(k.dir + "/state/*/*/record.json"); len(left) > 0 {
		t.Errorf("records are left: %v", left)
	}
}

func crioPod(t *testing.T, k *kubelet, config, security object) {
	name := config["metadata"].(object)["name"].(string)
	sandbox, failure := k.sandbox(t, config)
	if failure != "" {
		t.Fatal(failure)
	}
	// The kubelet says in labels which pod a container is of.
	labels := object{"io.kubernetes.container.name": "c", "io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "apps", "io.kubernetes.pod.uid": "uid-" + name}
	a, failure := k.containerOf(t, sandbox, config, object{
		"metadata": object{"name": "c"}, "command": []string{"sh", "-c", sleeps}, "linux": object{"securityContext": security}, "labels": labels,
	})
	if failure != "" {
		t.Fatal(failure)
	}
	b, failure := k.containerOf(t, sandbox, config, object{
		"metadata": object{"name": "b"}, "command": []string{"sh", "-c", sleeps},
		"linux": object{"securityContext": object{"runAsUser": object{"value": 1000}, "namespaceOptions": security["namespaceOptions"]}},
	})
	if failure != "" {
		t.Fatal(failure)
	}
	wantLines(t, k.exec(t, a, "grep", "-E", "CapEff|NoNew|Seccomp:", "/proc/self/status"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1", "Seccomp:\t2")
	wantLines(t, k.exec(t, b, "grep", "-E", "CapBnd|Uid", "/proc/self/status"), "CapBnd:\t0000000000000000", "Uid:\t1000")
	if x, y := k.exec(t, a, "readlink", "/proc/self/ns/net"), k.exec(t, b, "readlink", "/proc/self/ns/net"); x != y || x == "" {
		t.Errorf("the containers of a pod do not share its network: %s %s", x, y)
	}
	if got := k.exec(t, a, "ls", "/sys/class/net"); !strings.Contains(got, "eth0") {
		t.Errorf("the pod's network: %q", got)
	}
	k.exec(t, a, "httpd", "-p", "8080", "-h", "/etc")
	wantLines(t, k.exec(t, b, "wget", "-q", "-O-", "http://127.0.0.1:8080/passwd"), "root:x:0:0::/root:/bin/sh")
	out := mustRun(t, tested.hatchctl, "--policy", k.policy, "explain", "apps/"+name+"/c")
	wantLines(t, out, ", of cri pod "+"apps/"+name+" container c image", "builtin/restricted")
	address, _ := k.do(t, "Exec", object{
		"containerId": a, "stdin": true, "stdout": true, "stderr": true, "cmd": []string{"sh", "-c", "read x; echo got $x; grep CapEff /proc/self/status; exit 5"},
	})["url"].(string)
	said, errs := k.stream(t, "exec", address, "a word\n")
	wantLines(t, said, "got a word", "CapEff:\t"+restrictedCaps)
	wantLines(t, errs, `"message":"5"`)
	k.do(t, "StopContainer", object{"containerId": a, "timeout": 1})
	k.do(t, "RemoveContainer", object{"containerId": a})
	k.do(t, "StopPodSandbox", object{"podSandboxId": sandbox})
	k.do(t, "RemovePodSandbox", object{"podSandboxId": sandbox})
}

package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// podSpecs are what the newest containerd is asked for over CRI, by the name of
// the files: the pod's namespaces and privilege, and one container's.
var podSpecs = map[string]struct {
	pod, container string // security contexts and what else `linux` holds, as JSON members
	sandbox        string // the file of the pod's own container
}{
	"app-bare":         {"", `"resources": {"memoryLimitInBytes": 67108864, "memorySwapLimitInBytes": 67108864, "cpuShares": 102, "oomScoreAdj": 968}`, "sandbox"},
	"app-caps":         {"", `"capabilities": {"addCapabilities": ["NET_ADMIN"], "dropCapabilities": ["MKNOD"]}`, ""},
	"app-kubelet":      {"", `"seccomp": {"profileType": "RuntimeDefault"}, "resources": {"memoryLimitInBytes": 67108864, "memorySwapLimitInBytes": 67108864, "cpuShares": 102, "cpuQuota": 50000, "cpuPeriod": 100000, "oomScoreAdj": 968}`, ""},
	"app-nonroot":      {"", `"seccomp": {"profileType": "RuntimeDefault"}, "runAsUser": {"value": 1000}, "runAsGroup": {"value": 1000}, "noNewPrivs": true, "readonlyRootfs": true, "capabilities": {"dropCapabilities": ["ALL"]}`, ""},
	"app-privileged":   {`"privileged": true`, `"privileged": true`, "sandbox-privileged"},
	"app-host-net":     {`"network": "NODE"`, `"network": "NODE"`, "sandbox-host-net"},
	"app-host-pid-ipc": {`"network": "NODE", "pid": "NODE", "ipc": "NODE"`, `"network": "NODE", "pid": "NODE", "ipc": "NODE"`, "sandbox-host-pid-ipc"},
	"app-shared-pid":   {`"pid": "POD"`, `"pid": "POD"`, "sandbox-shared-pid"},
}

// ctrSpecs are what `ctr run` is asked for.
var ctrSpecs = map[string][]string{
	"default":    {},
	"mount":      {"--mount", "type=bind,src=/srv,dst=/host/etc,options=rbind:ro"},
	"net-host":   {"--net-host"},
	"privileged": {"--privileged"},
	"seccomp":    {"--seccomp"},
}

// The golden specs of the newest containerd are what it writes.
func TestCurrentContainerdsSpecs(t *testing.T) {
	k := startCRI(t)
	specs := k.dir + "/state/io.containerd.runtime.v2.task/"
	t.Cleanup(func() { removeGroups("/sys/fs/cgroup/*/kubepods/podx"); removeGroups("/sys/fs/cgroup/*/kubepods") })
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/hosts", nil, 0o644))
	must(t, os.Mkdir(dir+"/token", 0o755))
	for name, c := range podSpecs {
		config := pod("shop", "web", linuxOf(t, c.pod), object{"hatchdog.dev/profile": "untrusted"})
		config["logDirectory"] = "/var/log/pods"
		if !strings.Contains(c.pod, "NODE") { // as the kubelet does: such a pod has the host's name
			config["hostname"] = "web"
		}
		config["linux"].(object)["cgroupParent"] = "/kubepods/podx"
		sandbox, failure := k.sandboxOf(t, "plain", config)
		if failure != "" {
			t.Fatalf("%s: %s", name, failure)
		}
		own := object{
			"metadata": object{"name": name}, "command": []string{"/bin/sleep", "1000"},
			"linux": maskedUnless(name == "app-bare" || name == "app-privileged", linuxOf(t, c.container)),
		}
		if name == "app-kubelet" {
			own["mounts"] = []object{{"containerPath": "/etc/hosts", "hostPath": dir + "/hosts"}, {"containerPath": "/var/run/secrets/kubernetes.io/serviceaccount", "hostPath": dir + "/token", "readonly": true}}
		}
		id, failure := k.containerOf(t, sandbox, config, own)
		if failure != "" {
			t.Fatalf("%s: %s", name, failure)
		}
		names := map[string]string{
			sandbox: strings.Repeat("ab", 32), id: strings.Repeat("cd", 32), criImage: "localhost/busy:latest",
			dir + "/hosts": "/srv/data", dir + "/token": "/srv/data", k.dir + "/root": "/var/lib/containerd", k.dir + "/state": "/run/containerd",
		}
		wantGoldenSpec(t, "cri24-"+name, settled([]byte(read(t, specs+"k8s.io/"+id+"/config.json")), names))
		if c.sandbox != "" {
			wantGoldenSpec(t, "cri24-"+c.sandbox, settled([]byte(read(t, specs+"k8s.io/"+sandbox+"/config.json")), names))
		}
		k.removeAll(t)
	}
	importArchive(t, k.ctr(), k.socket, "default", criImage, ociArchive(t, criImage, busyboxTar(t), "sh"))
	for name, args := range ctrSpecs {
		id := "spec-" + name
		all := append(append([]string{"-a", k.socket, "run", "-d", "--runc-binary", pinnedRunc(t)}, args...), criImage, id, "/bin/sleep", "1000")
		mustRun(t, k.ctr(), all...)
		got := settled([]byte(read(t, specs+"default/"+id+"/config.json")), map[string]string{id: "c1", k.dir + "/state": "/run/containerd"})
		mustRun(t, k.ctr(), "-a", k.socket, "task", "kill", "-s", "KILL", id)
		waitFor(t, id+" to stop", func() bool { _, code := run(t, k.ctr(), "-a", k.socket, "task", "rm", id); return code == 0 })
		mustRun(t, k.ctr(), "-a", k.socket, "container", "rm", id)
		wantGoldenSpec(t, "ctr24-"+name, got)
	}
}

// linuxOf puts the members where CRI has them.
func linuxOf(t *testing.T, members string) object {
	t.Helper()
	all := decoded(t, "{"+members+"}")
	linux, security, namespaces := object{}, object{}, object{"pid": "CONTAINER"}
	for k, v := range all {
		switch k {
		case "resources":
			linux[k] = v
		case "network", "pid", "ipc":
			namespaces[k] = v
		default:
			security[k] = v
		}
	}
	security["namespaceOptions"] = namespaces
	linux["securityContext"] = security
	return linux
}

// maskedUnless adds the paths that the kubelet sends, but where a client sends none.
func maskedUnless(bare bool, linux object) object {
	if !bare {
		security := linux["securityContext"].(object)
		security["maskedPaths"] = []string{"/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"}
		security["readonlyPaths"] = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	}
	return linux
}

func decoded(t *testing.T, text string) object {
	t.Helper()
	o := object{}
	must(t, json.Unmarshal([]byte(text), &o))
	return o
}

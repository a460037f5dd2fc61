package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What Podman does besides run: a pod of Kubernetes' form, a health check, files in
// and out, an image made of a container and one of a Containerfile.
func TestPodmanFurther(t *testing.T) { eachPodman(t, podmanFurther) }

func podmanFurther(t *testing.T, p *podman) {
	const look = "grep -E 'CapEff|NoNew' /proc/self/status"
	limits := ", resources: {limits: {memory: 64Mi}}"
	if p.user != 0 { // who has no control groups here
		limits = ""
	}
	must(t, os.WriteFile(p.dir+"/pod.yaml", []byte(`apiVersion: v1
kind: Pod
metadata: {name: played}
spec:
  hostNetwork: false
  containers:
  - {name: c, image: "localhost/box:latest", imagePullPolicy: Never, command: [/bin/sh, -c, "`+look+`; exec sleep 1000"]`+limits+`}
`), 0o644))
	p.do(t, "play", "kube", "--network", "none", p.dir+"/pod.yaml")
	waitFor(t, "what the played pod says", func() bool {
		log, _ := p.try(t, "logs", "played-c")
		return strings.Contains(log, "CapEff:\t"+restrictedCaps) && strings.Contains(log, "NoNewPrivs:\t1")
	})
	p.do(t, "play", "kube", "--down", p.dir+"/pod.yaml")

	p.do(t, "run", "-d", "--network", "none", "--name", "checked", "--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "localhost/box", "sleep", "1000")
	if out, code := p.try(t, "healthcheck", "run", "checked"); code == 0 {
		t.Errorf("it is well: %s", out)
	}
	p.do(t, "exec", "checked", "touch", "/tmp/well")
	p.do(t, "healthcheck", "run", "checked")
	must(t, os.WriteFile(p.dir+"/sent", []byte("sent\n"), 0o644))
	// Podman writes as the host's root, who has no id in the user namespace of a
	// container that runs: docs/user-namespaces.md. Without root it is the same user.
	if out, code := p.try(t, "cp", p.dir+"/sent", "checked:/root/sent"); (code == 0) == (p.user == 0) {
		t.Errorf("files while it runs: %d %s", code, out)
	}
	p.do(t, "stop", "-t", "0", "checked")
	p.do(t, "cp", p.dir+"/sent", "checked:/root/sent")
	p.do(t, "start", "checked")
	wantLines(t, p.do(t, "exec", "checked", "cat", "/root/sent"), "sent")
	p.do(t, "cp", "checked:/root/sent", p.dir+"/back")
	wantLines(t, read(t, p.dir+"/back"), "sent")
	p.do(t, "commit", "-q", "checked", "localhost/kept")
	wantLines(t, p.do(t, "run", "--rm", "--network", "none", "localhost/kept", "cat", "/root/sent"), "sent")

	// The newest default filter of Podman, which forks at AF_NETLINK.
	filter, err := filepath.Abs("../internal/seccomp/proof/testdata/engines/podman-5.8.json")
	must(t, err)
	wantLines(t, p.do(t, "run", "--rm", "--network", "none", "--security-opt", "seccomp="+filter, "localhost/box", "ip", "addr"), "127.0.0.1")

	must(t, os.WriteFile(p.dir+"/Containerfile", []byte("FROM localhost/box:latest\nRUN "+look+" >/made\n"), 0o644))
	build := []string{"build", "--network", "none", "--pull=never", "-q", "-t", "localhost/made", "-f", p.dir + "/Containerfile", p.dir + "/home"}
	if p.user != 0 && p.newest == "" { // it gives each RUN the host's /sys: docs/compatibility.md
		out, code := p.try(t, build...)
		if code == 0 {
			t.Error("it builds")
		}
		wantLines(t, out, "mounts[/sys].source: /sys is protected", "add {path: /sys, access: ro} to mounts.allow")
		return
	}
	p.do(t, build...)
	wantLines(t, p.do(t, "run", "--rm", "--network", "none", "localhost/made", "cat", "/made"), "CapEff:\t"+restrictedCaps, "NoNewPrivs:\t1")
}

// An overlay of storage.conf's usual options, nodev, and with volatile, of which the
// kernel marks the work directory: the container has both in its user namespace, and
// starts again.
func TestPodmanOverlay(t *testing.T) { eachPodman(t, podmanOverlay) }

func podmanOverlay(t *testing.T, p *podman) {
	p.storage = []string{"--root", p.dir + "/layers", "--storage-driver", "overlay", "--storage-opt", "overlay.mountopt=nodev,volatile"}
	p.do(t, "import", "-q", p.dir+"/image.tar", "localhost/box:latest")
	p.do(t, "run", "-d", "--network", "none", "--name", "again", "localhost/box", "sh", "-c", "echo x >>/root/starts; exec sleep 1000")
	for _, starts := range []string{"x\n", "x\nx\n"} {
		waitFor(t, "the file of each start", func() bool {
			out, code := p.try(t, "exec", "again", "cat", "/root/starts")
			return code == 0 && out == starts
		})
		out := p.do(t, "exec", "again", "sh", "-c", "grep ' / overlay' /proc/mounts; cat /proc/self/uid_map")
		wantLines(t, out, ",nodev,", "volatile", "65536")
		p.do(t, "stop", "-t", "0", "again")
		p.do(t, "start", "again")
	}
}

// docs/user-namespaces.md says so, and what helps.
func TestPodmanUsernsAuto(t *testing.T) {
	p := newPodman(t, "")
	must(t, os.WriteFile(p.dir+"/subids", []byte("containers:3000000000:1048576\n"), 0o644))
	p.ids = p.dir + "/subids"
	out, code := p.try(t, "run", "--rm", "--userns=auto", "--network", "none", "localhost/box", "true")
	if code == 0 {
		t.Error("it runs")
	}
	wantLines(t, out, "--pid-file: users other than root can change what the path leads to")
	p.ids = ""
	out = p.do(t, "run", "--rm", "--network", "none", "localhost/box", "cat", "/proc/self/uid_map")
	if strings.Contains(out, "4294967295") || !strings.Contains(out, "65536") {
		t.Errorf("without the option it has no user namespace: %s", out)
	}
}

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// podman is Debian's Podman with all that it keeps in a folder of the test's.
type podman struct {
	dir, ns string
	user    int      // 0 is root
	newest  string   // the folder of one that is not installed
	ids     string   // what it sees as /etc/subuid and /etc/subgid
	storage []string // options in the place of those for vfs
}

// eachPodman runs a test against Debian's Podman and the newest.
func eachPodman(t *testing.T, test func(*testing.T, *podman)) {
	t.Helper()
	for name, folder := range map[string]string{"Debian's": "", "newest": filepath.Dir(cached(t, "newest-podman-*/podman"))} {
		t.Run(name, func(t *testing.T) { test(t, newPodman(t, folder)) })
	}
}

// newPodman makes the place of one, and an image in it: of Debian's, or of the
// one in folder.
func newPodman(t *testing.T, folder string) *podman {
	t.Helper()
	ns, err := netns()
	must(t, err)
	p := &podman{dir: filepath.Join(tested.dir, "podman"+filepath.Base(folder)), ns: ns, newest: folder}
	must(t, os.MkdirAll(p.dir+"/home", 0o755))
	must(t, os.WriteFile(p.dir+"/image.tar", busyboxTar(t), 0o644))
	policyFile(t, p.dir, "")
	t.Cleanup(func() {
		p.try(t, "pod", "rm", "-af")
		p.try(t, "rm", "-af", "-t", "0")
		killMatching(p.dir)
		// The mounts of its storage, and of its own namespaces.
		for _, m := range strings.Fields(mustRun(t, "sh", "-c", "grep -o ' "+p.dir+"[^ ]*' /proc/self/mountinfo | sort -ru || true")) {
			run(t, "umount", "-l", m)
		}
		waitFor(t, "the control groups to go", func() bool {
			out, _ := run(t, "sh", "-c", "find /sys/fs/cgroup -depth -type d -path '*libpod*' -exec rmdir {} + 2>/dev/null; find /sys/fs/cgroup -type d -path '*libpod*'")
			return out == ""
		})
	})
	// No more open files and processes than this machine gives.
	conf := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=500:500\"]\n[engine]\ninfra_image = \"localhost/box:latest\"\n"
	if folder != "" {
		conf += fmt.Sprintf("conmon_path = [%q]\nhelper_binaries_dir = [%q]\n", folder+"/conmon", folder)
	}
	must(t, os.WriteFile(p.dir+"/containers.conf", []byte(conf), 0o644))
	// Podman gives a runtime next to nothing of its own environment.
	must(t, os.WriteFile(p.dir+"/hatchdog", fmt.Appendf(nil, "#!/bin/sh\nHATCHDOG_POLICY=%s/policy.yaml exec %s \"$@\"\n", p.dir, tested.hatchdog), 0o755))
	p.do(t, "import", "-q", "-c", `CMD ["sleep","1000"]`, p.dir+"/image.tar", "localhost/box:latest")
	return p
}

func (p *podman) try(t *testing.T, args ...string) (string, int) {
	t.Helper()
	all := []string{
		"--root", p.dir + "/graph", "--runroot", p.dir + "/runroot", "--tmpdir", p.dir + "/tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
		"--runtime", p.dir + "/hatchdog", "--storage-driver", "vfs",
	}
	all = append(all, p.storage...)
	if p.user != 0 { // where Podman has it: it lets the roots of user namespaces pass through what is above
		all = append(all, "--runroot", p.dir+"/run/containers", "--tmpdir", p.dir+"/run/tmp")
	}
	cmd := p.asUser(append(all, args...))
	if p.user == 0 {
		cmd = exec.Command("nsenter", append([]string{"--net=" + p.ns, filepath.Join(p.newest, "podman")}, append(all, args...)...)...)
		cmd.Env = append(os.Environ(), "PODMAN_IGNORE_CGROUPSV1_WARNING=1", "CONTAINERS_CONF="+p.dir+"/containers.conf", "HOME="+p.dir+"/home", "XDG_RUNTIME_DIR="+p.dir+"/home")
	}
	if p.ids != "" {
		see := fmt.Sprintf("mount --bind %[1]s /etc/subuid && mount --bind %[1]s /etc/subgid && exec \"$@\"", p.ids)
		cmd.Args = append([]string{"unshare", "--mount", "sh", "-c", see, "sh"}, cmd.Args...)
		cmd.Path = "/usr/bin/unshare"
	}
	// A file: conmon, which stays, keeps a pipe open.
	file, err := os.CreateTemp(p.dir, "out")
	must(t, err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	out := read(t, file.Name())
	if exit, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as os/exec returns it
		return out, exit.ExitCode()
	}
	must(t, err)
	return out, 0
}

func (p *podman) do(t *testing.T, args ...string) string {
	t.Helper()
	out, code := p.try(t, args...)
	if code != 0 {
		t.Fatalf("podman %v: %d: %s", args, code, out)
	}
	return out
}

// Podman's own files are the container's by its id, wherever Podman keeps them.
func TestPodmanLife(t *testing.T) { eachPodman(t, podmanLife) }

func podmanLife(t *testing.T, p *podman) {
	must(t, os.MkdirAll(p.dir+"/data", 0o755))
	must(t, os.WriteFile(p.dir+"/data/f", []byte("kept\n"), 0o644))
	out := p.do(t, "run", "--network", "none", "--rm", "-v", "vol:/v", "-v", p.dir+"/data:/data", "localhost/box", "sh", "-c",
		"grep -c 127.0.0.1 /etc/hosts; cat /etc/hostname /data/f; test -e /run/.containerenv && echo ENV; echo x >/v/x; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status")
	wantLines(t, out, "kept", "ENV", "NoNewPrivs:\t1", "Seccomp:\t2")
	if strings.Contains(out, "00000000800405fb") {
		t.Errorf("it has Podman's own capabilities: %s", out)
	}
	p.do(t, "run", "--network", "none", "-d", "--name", "web", "-v", "vol:/v", "localhost/box", "sleep", "1000")
	wantLines(t, p.do(t, "exec", "web", "cat", "/v/x"), "x")
	explained := mustRun(t, tested.hatchctl, "--policy", p.dir+"/policy.yaml", "explain", "web")
	wantLines(t, explained, "web "+strings.TrimSpace(p.do(t, "inspect", "-f", "{{.Id}}", "web"))+", of podman image localhost/box")
	p.do(t, "exec", "web", "sh", "-c", "echo y >/tmp/y")
	wantLines(t, p.do(t, "diff", "web"), "/tmp/y")
	p.do(t, "stop", "-t", "0", "web")
	p.do(t, "start", "web")
	p.do(t, "rm", "-f", "-t", "0", "web")
	if out, code := p.try(t, "run", "--rm", "--network", "none", "-v", p.dir+"/graph:/g", "localhost/box", "true"); code == 0 || !strings.Contains(out, "is protected") {
		t.Errorf("it has the state of Podman: %s", out)
	}
}

// The containers of a pod share the files of its own.
func TestPodmanPod(t *testing.T) { eachPodman(t, podmanPod) }

func podmanPod(t *testing.T, p *podman) {
	p.do(t, "pod", "create", "--name", "pod", "--network", "none", "--infra-image", "localhost/box", "--infra-command", "/bin/sleep 1000")
	p.do(t, "run", "-d", "--name", "one", "--pod", "pod", "localhost/box", "sh", "-c", "echo shared >/dev/shm/s; sleep 1000")
	waitFor(t, "the pod's shared memory", func() bool {
		out, code := p.try(t, "run", "--rm", "--pod", "pod", "localhost/box", "cat", "/dev/shm/s")
		return code == 0 && strings.Contains(out, "shared")
	})
	other := strings.TrimSpace(p.do(t, "inspect", "-f", "{{.HostsPath}}", "one"))
	if out, code := p.try(t, "run", "--rm", "--network", "none", "-v", other+":/h", "localhost/box", "cat", "/h"); code == 0 || !strings.Contains(out, "is protected") {
		t.Errorf("another container's file %s: %s", other, out)
	}
}

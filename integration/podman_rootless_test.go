package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// eachWithoutRoot runs a test against Debian's Podman and the newest, as a user.
func eachWithoutRoot(t *testing.T, test func(*testing.T, *podman)) {
	t.Helper()
	for name, folder := range map[string]string{"Debian's": "", "newest": filepath.Dir(cached(t, "newest-podman-*/podman"))} {
		t.Run(name, func(t *testing.T) { test(t, withoutRoot(t, folder)) })
	}
}

// withoutRoot is Podman as a user who has an account and subordinate ids in a
// mount namespace of the test's alone: Debian's, or the one in folder.
func withoutRoot(t *testing.T, folder string) *podman {
	t.Helper()
	ns, err := netns()
	must(t, err)
	// Not below the tests' folder: that is of a user who has no name there.
	dir, err := os.MkdirTemp("", "hatchdog-it-user-")
	must(t, err)
	p := &podman{dir: dir, ns: ns, user: someUser}
	must(t, os.MkdirAll(p.dir+"/home", 0o700))
	must(t, os.MkdirAll(p.dir+"/run", 0o700))
	must(t, os.WriteFile(p.dir+"/image.tar", busyboxTar(t), 0o644))
	conf := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=500:500\"]\n[engine]\ninfra_image = \"localhost/box:latest\"\n"
	if folder != "" {
		p.newest = p.dir + "/newest"
		conf += fmt.Sprintf("conmon_path = [%q]\nhelper_binaries_dir = [%q]\n", p.newest+"/conmon", p.newest)
		openPrograms(t, folder, p.newest)
	}
	must(t, os.WriteFile(p.dir+"/containers.conf", []byte(conf), 0o644))
	runc, err := os.ReadFile(pinnedRunc(t))
	must(t, err)
	must(t, os.WriteFile(p.dir+"/runc", runc, 0o755)) // root's cache is closed to others
	must(t, os.WriteFile(p.dir+"/hatchdog", fmt.Appendf(nil, "#!/bin/sh\nHATCHDOG_POLICY=%s/policy.yaml exec %s \"$@\"\n", p.dir, tested.hatchdog), 0o755))
	must(t, os.WriteFile(p.dir+"/policy.yaml", fmt.Appendf(nil, "version: 1\nruntime: {path: %s/runc}\n", p.dir), 0o600))
	must(t, filepath.WalkDir(p.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, someUser, someUser)
	}))
	// What the user must not be able to change.
	must(t, os.WriteFile(p.dir+"/subids", fmt.Appendf(nil, "someone:%d:65536\n", someUser<<8), 0o644))
	must(t, os.WriteFile(p.dir+"/passwd", []byte(read(t, "/etc/passwd")+fmt.Sprintf("someone:x:%d:%d::%s/home:/bin/sh\n", someUser, someUser, p.dir)), 0o644))
	must(t, os.WriteFile(p.dir+"/group", []byte(read(t, "/etc/group")+fmt.Sprintf("someone:x:%d:\n", someUser)), 0o644))
	must(t, syscall.Mknod(p.dir+"/tun", syscall.S_IFCHR, 10<<8|200)) // admin-guide/devices.txt
	must(t, os.Chmod(p.dir+"/tun", 0o666))
	t.Cleanup(func() {
		p.try(t, "pod", "rm", "-af")
		p.try(t, "rm", "-af", "-t", "0")
		killMatching(p.dir)
		for _, file := range []string{"/run/tmp/pause.pid", "/run/libpod/tmp/pause.pid"} {
			if pid, err := strconv.Atoi(strings.TrimSpace(readIf(p.dir + file))); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		must(t, os.RemoveAll(p.dir))
	})
	p.do(t, "import", "-q", "-c", `CMD ["sleep","1000"]`, p.dir+"/image.tar", "localhost/box:latest")
	return p
}

// openPrograms copies programs, and the libraries that they name by root's cache,
// to where users reach them.
func openPrograms(t *testing.T, from, to string) {
	t.Helper()
	mustRun(t, "cp", "-r", from, to)
	for _, program := range []string{"podman", "conmon", "netavark"} {
		loader := strings.TrimSpace(mustRun(t, "patchelf", "--print-interpreter", to+"/"+program))
		mustRun(t, "patchelf", "--set-interpreter", to+"/lib/"+filepath.Base(loader), "--force-rpath", "--set-rpath", to+"/lib", to+"/"+program)
	}
}

func readIf(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// asUser runs podman where the user has an account and the device of tunnels, as
// distributions give it.
func (p *podman) asUser(args []string) *exec.Cmd {
	const account = `mount --bind "$1/subids" /etc/subuid && mount --bind "$1/subids" /etc/subgid && mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group &&
		mount --bind "$1/tun" /dev/net/tun &&
		cd "$1/home" && user=$2 && shift 2 && exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"`
	line := []string{"--net=" + p.ns, "unshare", "-m", "sh", "-c", account, "sh", p.dir, strconv.Itoa(p.user), filepath.Join(p.newest, "podman")}
	cmd := exec.Command("nsenter", append(line, args...)...)
	cmd.Env = []string{"PODMAN_IGNORE_CGROUPSV1_WARNING=1", "PATH=" + os.Getenv("PATH"), "HOME=" + p.dir + "/home", "XDG_RUNTIME_DIR=" + p.dir + "/run", "CONTAINERS_CONF=" + p.dir + "/containers.conf"}
	return cmd
}

// Podman without root runs the runtime as the root of a user namespace, in which
// the host's root is nobody.
func TestPodmanWithoutRoot(t *testing.T) { eachWithoutRoot(t, podmanWithoutRoot) }

func podmanWithoutRoot(t *testing.T, p *podman) {
	out := p.do(t, "run", "--network", "none", "--rm", "-v", "vol:/v", "localhost/box", "sh", "-c",
		"cat /proc/self/uid_map; echo kept >/v/x; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; grep -c 127.0.0.1 /etc/hosts")
	wantLines(t, strings.Join(strings.Fields(out), " "), fmt.Sprintf("0 %d 1 1 %d 65536 CapEff: 00000000000000eb NoNewPrivs: 1 Seccomp: 2", someUser, someUser<<8))
	p.do(t, "run", "--network", "none", "-d", "--name", "web", "-v", "vol:/v", "localhost/box", "sleep", "1000")
	wantLines(t, p.do(t, "exec", "web", "cat", "/v/x"), "kept")
	if found, _ := filepath.Glob(p.dir + "/run/hatchdog/*/*/record.json"); len(found) != 1 {
		t.Errorf("records below XDG_RUNTIME_DIR: %v", found)
	}
	p.do(t, "stop", "-t", "0", "web")
	p.do(t, "start", "web")
	other := strings.TrimSpace(p.do(t, "inspect", "-f", "{{.HostsPath}}", "web"))
	for what, source := range map[string]string{"the host's accounts": "/etc", "another container's file": other, "the state of Podman": p.dir + "/graph"} {
		if out, code := p.try(t, "run", "--rm", "--network", "none", "-v", source+":/h", "localhost/box", "true"); code == 0 || !strings.Contains(out, "is protected") {
			t.Errorf("%s: %s", what, out)
		}
	}
	p.do(t, "rm", "-f", "-t", "0", "web")
	if found, _ := filepath.Glob(p.dir + "/run/hatchdog/*/*/record.json"); len(found) != 0 {
		t.Errorf("records are left: %v", found)
	}
	// A policy of another user's is not taken.
	must(t, os.Lchown(p.dir+"/policy.yaml", someUser+1, someUser+1))
	must(t, os.Chmod(p.dir+"/policy.yaml", 0o644))
	if out, code := p.try(t, "run", "--rm", "--network", "none", "localhost/box", "true"); code == 0 || !strings.Contains(out, "owned by another user") {
		t.Errorf("another's policy: %s", out)
	}
}

// What Podman does besides, without root as with it.
func TestPodmanFurtherWithoutRoot(t *testing.T) { eachWithoutRoot(t, podmanFurther) }

func TestPodmanPodWithoutRoot(t *testing.T) { eachWithoutRoot(t, podmanPod) }

// The ids of a container, as Podman's options map them.
func TestPodmanIDsWithoutRoot(t *testing.T) { eachWithoutRoot(t, podmanIDs) }

func podmanIDs(t *testing.T, p *podman) {
	for option, want := range map[string]string{
		"auto": "0 0 1 1024 CapEff: " + restrictedCaps, "nomap": "0 0 1 65536 CapEff: " + restrictedCaps,
		// Of the user's own ids: 54321 subordinate ones, and the user.
		"keep-id": fmt.Sprintf("%[1]d 0 1 %[1]d %[1]d 0 1 %d %[2]d %d CapEff: 0000000000000000", someUser, someUser+1, 65536-someUser),
		"host":    fmt.Sprintf("0 0 %d 1 1 %d 65536 CapEff: "+restrictedCaps, someUser, someUser<<8),
	} {
		out, code := p.try(t, "run", "--rm", "--network", "none", "--userns="+option, "-v", "vol:/v", "localhost/box", "sh", "-c", "id -u; cat /proc/self/uid_map; grep -E 'CapEff|NoNew' /proc/self/status")
		if code != 0 || strings.Join(strings.Fields(out), " ") != want+" NoNewPrivs: 1" {
			t.Errorf("--userns=%s: %d %s", option, code, out)
		}
	}
	p.do(t, "run", "-d", "--name", "auto", "--network", "none", "--userns=auto", "localhost/box", "sleep", "1000")
	wantLines(t, p.do(t, "exec", "auto", "cat", "/proc/self/uid_map"), "1024")
	p.do(t, "stop", "-t", "0", "auto")
}

// The network of a container that slirp4netns or pasta makes, with a port of the
// host's.
func TestPodmanNetworkWithoutRoot(t *testing.T) { eachWithoutRoot(t, podmanNetwork) }

func podmanNetwork(t *testing.T, p *podman) {
	// pasta takes the addresses of the interface of the default route.
	mustRun(t, "nsenter", "--net="+p.ns, "sh", "-c", "ip link add out0 type veth peer name out1 && ip addr add 10.9.8.7/24 dev out0 && ip link set out0 up && ip link set out1 up && ip route add default via 10.9.8.1")
	t.Cleanup(func() { run(t, "ip", "-n", filepath.Base(p.ns), "link", "del", "out0") })
	wantLines(t, p.do(t, "run", "--rm", "--network", "slirp4netns", "localhost/box", "ip", "route"), "default via 10.0.2.2 dev tap0")
	network := "slirp4netns"
	if p.newest != "" {
		network = "pasta" // Podman 4.3 knows none; its ports with slirp4netns need a program that is not copied here
	}
	p.do(t, "run", "-d", "--name", "net", "--network", network, "-p", "18080:8080", "localhost/box", "sh", "-c", "mkdir /tmp/w; echo served >/tmp/w/x; exec httpd -f -p 8080 -h /tmp/w")
	waitFor(t, "the server behind "+network, func() bool {
		out, code := run(t, "nsenter", "--net="+p.ns, "busybox", "wget", "-q", "-O-", "http://127.0.0.1:18080/x")
		return code == 0 && out == "served\n"
	})
	p.do(t, "rm", "-f", "-t", "0", "net")
}

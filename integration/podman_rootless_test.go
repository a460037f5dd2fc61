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

// withoutRoot is Podman as a user who has an account and subordinate ids in a
// mount namespace of the test's alone.
func withoutRoot(t *testing.T) *podman {
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
	must(t, os.WriteFile(p.dir+"/containers.conf", []byte("[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=500:500\"]\n"), 0o644))
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
	t.Cleanup(func() {
		p.try(t, "rm", "-af", "-t", "0")
		killMatching(p.dir)
		for _, file := range []string{"/tmp/pause.pid", "/run/libpod/tmp/pause.pid"} {
			if pid, err := strconv.Atoi(strings.TrimSpace(readIf(p.dir + file))); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		must(t, os.RemoveAll(p.dir))
	})
	p.do(t, "import", "-q", p.dir+"/image.tar", "localhost/box:latest")
	return p
}

func readIf(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// asUser runs podman where the user has an account.
func (p *podman) asUser(args []string) *exec.Cmd {
	const account = `mount --bind "$1/subids" /etc/subuid && mount --bind "$1/subids" /etc/subgid && mount --bind "$1/passwd" /etc/passwd &&
		cd "$1/home" && user=$2 && shift 2 && exec setpriv --reuid "$user" --regid "$user" --clear-groups podman "$@"`
	line := []string{"--net=" + p.ns, "unshare", "-m", "sh", "-c", account, "sh", p.dir, strconv.Itoa(p.user)}
	cmd := exec.Command("nsenter", append(line, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir + "/home", "XDG_RUNTIME_DIR=" + p.dir + "/run", "CONTAINERS_CONF=" + p.dir + "/containers.conf"}
	return cmd
}

// Podman without root runs the runtime as the root of a user namespace, in which
// the host's root is nobody.
func TestPodmanWithoutRoot(t *testing.T) {
	p := withoutRoot(t)
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

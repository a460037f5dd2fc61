package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// namespaces are the network namespaces of the engines by name: their bridges,
// gateways and firewall rules live and die there.
var namespaces struct {
	sync.Mutex
	made map[string]string
}

// netns is the network namespace of all engines that need none of their own.
func netns() (string, error) { return netnsOf("") }

func netnsOf(engine string) (string, error) {
	namespaces.Lock()
	defer namespaces.Unlock()
	if path, there := namespaces.made[engine]; there {
		return path, nil
	}
	name := fmt.Sprintf("hatchdog-it-%d%s", os.Getpid(), engine)
	// The first "ip netns add" of a host makes /run/netns a mount.
	if !isMount("/run/netns") {
		atEnd(func() { _ = syscall.Unmount("/run/netns", 0); _ = os.Remove("/run/netns") })
	}
	for _, args := range [][]string{{"netns", "add", name}, {"-n", name, "link", "set", "lo", "up"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
	}
	atEnd(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
	if namespaces.made == nil {
		namespaces.made = map[string]string{}
	}
	namespaces.made[engine] = "/run/netns/" + name
	return namespaces.made[engine], nil
}

var ends []func()

// atEnd notes what to undo when all tests have run, last first.
func atEnd(f func()) { ends = append(ends, f) }

func stopEngines() {
	for i := len(ends) - 1; i >= 0; i-- {
		ends[i]()
	}
}

// daemon starts a program in the network namespace that the engines share.
func daemon(t *testing.T, log string, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	ns, err := netns()
	must(t, err)
	return daemonIn(t, ns, log, env, name, args...)
}

// daemonIn starts a program in a network namespace.
func daemonIn(t *testing.T, ns, log string, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	// nsenter and not "ip netns exec", which mounts a new /sys without the
	// control groups.
	cmd := exec.Command("nsenter", append([]string{"--net=" + ns, name}, args...)...)
	out, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(t, err)
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	return cmd
}

// stop ends a daemon and waits for it.
func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		<-done
	}
}

// waitFor waits until f holds.
func waitFor(t *testing.T, what string, f func() bool) {
	t.Helper()
	limit := time.Minute * time.Duration(patience())
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("waited %s for %s", limit, what)
}

// patience is how much slower than a real one this machine may be.
func patience() int {
	if n, err := strconv.Atoi(os.Getenv("HATCHDOG_PATIENCE")); err == nil && n > 1 {
		return n
	}
	return 1
}

// killMatching kills every process whose command line holds text.
func killMatching(text string) {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, c := range found {
		data, err := os.ReadFile(c)
		if err != nil || !strings.Contains(string(data), text) {
			continue
		}
		var pid int
		if _, err := fmt.Sscanf(c, "/proc/%d/cmdline", &pid); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// removeGroups kills what runs in control groups and removes them.
func removeGroups(pattern string) {
	groups, _ := filepath.Glob(pattern)
	for _, g := range groups {
		procs, _ := os.ReadFile(filepath.Join(g, "cgroup.procs"))
		for _, p := range strings.Fields(string(procs)) {
			if pid, err := strconv.Atoi(p); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	for _, g := range groups {
		for range 50 {
			if err := os.Remove(g); err == nil || errors.Is(err, fs.ErrNotExist) {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// startContainerd starts a containerd with all it has below dir, its socket
// included.
func startContainerd(t *testing.T, ns, program, dir string, env ...string) *exec.Cmd {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o711))
	// Without what is for Kubernetes, by its names in containerd 1.x and 2.x.
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\", \"io.containerd.cri.v1.images\", \"io.containerd.cri.v1.runtime\"]\n[grpc]\naddress = %q\n",
		dir+"/root", dir+"/state", dir+"/containerd.sock")
	must(t, os.WriteFile(dir+"/config.toml", []byte(config), 0o600))
	cmd := daemonIn(t, ns, dir+"/containerd.log", env, program, "--config", dir+"/config.toml")
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := run(t, "tail", "-n", "20", dir+"/containerd.log")
			t.Log(log)
		}
	})
	waitFor(t, "containerd", func() bool {
		_, code := run(t, "ctr", "-a", dir+"/containerd.sock", "version")
		return code == 0
	})
	return cmd
}

func isMount(path string) bool {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == path {
			return true
		}
	}
	return false
}

// unmountBelow unmounts what is left below dir.
func unmountBelow(dir string) {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	lines := strings.Split(string(data), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if f := strings.Fields(lines[i]); len(f) > 4 && strings.HasPrefix(f[4], dir+"/") {
			_ = syscall.Unmount(f[4], syscall.MNT_DETACH)
		}
	}
}

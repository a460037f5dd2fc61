package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// cluster is a Kubernetes of one node, all of it below dir: the node has
// namespaces of its own, so that what it writes to its /etc, /run, /usr/local,
// /var/lib and /var/log stays there, and ends with its process 1.
type cluster struct {
	dir, ns, groups string
	init            string // process 1, as the host counts
	release         string // of Kubernetes
}

// clusterAddress is that of the node and of the API server on it; the node has one
// of IPv6 besides.
const (
	clusterAddress  = "10.99.0.1"
	clusterAddress6 = "fd99::1"
)

// clusters counts them.
var clusters atomic.Int32

// startNode starts the node, without anything that runs on it.
func startNode(t *testing.T) *cluster {
	t.Helper()
	which := fmt.Sprintf("cluster%d", clusters.Add(1)) // one after another
	ns, err := netnsOf("-" + which)
	must(t, err)
	name := filepath.Base(ns)
	for _, args := range []string{"link add node0 type veth peer name node1", "addr add " + clusterAddress + "/24 dev node0", "addr add " + clusterAddress6 + "/64 dev node0 nodad", "link set node0 up", "link set node1 up"} {
		mustRun(t, "ip", append([]string{"-n", name}, strings.Fields(args)...)...)
	}
	c := &cluster{dir: filepath.Join(tested.dir, which), ns: ns, groups: fmt.Sprintf("hatchdog-%s-%d", which, os.Getpid())}
	must(t, os.MkdirAll(c.dir, 0o755))
	script, err := filepath.Abs("testdata/cluster/node.sh")
	must(t, err)
	cmd := exec.Command("nsenter", "--net="+ns, "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child",
		"--mount-proc", "--uts", "--ipc", "sh", script, c.dir)
	log, err := os.OpenFile(c.dir+"/node.log", os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	must(t, err)
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	must(t, cmd.Start())
	t.Cleanup(func() { c.end(cmd) })
	waitFor(t, "the node", func() bool { _, err := os.Stat(c.dir + "/up"); return err == nil })
	children := read(t, fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	c.init = strings.TrimSpace(children)
	return c
}

// end kills process 1, and with it all that runs on the node; its mounts go
// with the last of them.
func (c *cluster) end(node *exec.Cmd) {
	_ = node.Process.Kill()
	_ = node.Wait()
	for range 100 { // emptied by the kernel, not at once
		out, _ := exec.Command("sh", "-c", "find /sys/fs/cgroup -depth -type d -path '*/"+c.groups+"*' -exec rmdir {} + 2>/dev/null; find /sys/fs/cgroup -type d -path '*/"+c.groups+"*'").Output()
		if len(out) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// command is one that runs on the node.
func (c *cluster) command(args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--target", c.init, "--mount", "--uts", "--ipc", "--net", "--pid", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + c.dir, "KUBECONFIG=" + c.dir + "/admin.conf"}
	return cmd
}

// try runs a command on the node: what it printed, and its exit code.
func (c *cluster) try(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return c.tryFor(t, 3*time.Minute, args...)
}

func (c *cluster) tryFor(t *testing.T, limit time.Duration, args ...string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit*time.Duration(patience()))
	defer cancel()
	cmd := c.command(args...)
	// A file: what the command leaves running would keep a pipe open.
	out, err := os.CreateTemp(c.dir, "out")
	must(t, err)
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	_ = cmd.Wait()
	return read(t, out.Name()), cmd.ProcessState.ExitCode()
}

// do runs a command on the node that must succeed.
func (c *cluster) do(t *testing.T, args ...string) string {
	t.Helper()
	out, code := c.try(t, args...)
	if code != 0 {
		t.Fatalf("%s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	return c.do(t, append([]string{"kubectl"}, args...)...)
}

// apply makes objects of YAML.
func (c *cluster) apply(t *testing.T, text string) {
	t.Helper()
	if out, err := c.tryApply(t, text); err != nil {
		t.Fatalf("kubectl apply: %v\n%s\n%s", err, out, text)
	}
}

func (c *cluster) tryApply(t *testing.T, text string) (string, error) {
	t.Helper()
	cmd := c.command("kubectl", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// file is a file of the node's, as the host finds it.
func (c *cluster) file(path string) string { return "/proc/" + c.init + "/root" + path }

package integration

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nodeKind is what a node is like.
type nodeKind struct {
	services, addresses string // IPv4, and IPv6 on a node of both
}

var (
	singleStack = nodeKind{services: "10.96.0.0/24", addresses: clusterAddress}
	dualStack   = nodeKind{services: "10.96.0.0/24,fd96::/112", addresses: clusterAddress + "," + clusterAddress6}
)

func startCluster(t *testing.T) *cluster {
	t.Helper()
	return startClusterOf(t, singleStack)
}

// startClusterOf starts Kubernetes on a node, until the node is ready. hatchdog is
// not on it.
func startClusterOf(t *testing.T, kind nodeKind) *cluster {
	t.Helper()
	c := startNode(t)
	t.Cleanup(func() { c.tell(t) })
	c.putPrograms(t)
	c.putFiles(t, kind)
	for _, unit := range []string{"etcd", "kube-apiserver", "containerd"} {
		c.do(t, "systemctl", "start", unit)
	}
	waitFor(t, "the API server", func() bool {
		out, _ := c.try(t, "kubectl", "get", "--raw", "/readyz")
		return out == "ok"
	})
	for _, unit := range []string{"kube-controller-manager", "kube-scheduler", "kubelet"} {
		c.do(t, "systemctl", "start", unit)
	}
	c.importImage(t, criImage, busyboxTar(t), "sleep", "3600")
	waitFor(t, "the node to be ready", func() bool {
		_, code := c.try(t, "kubectl", "wait", "--for=condition=Ready", "--timeout=10s", "node/node1")
		return code == 0
	})
	waitFor(t, "the account of the default namespace", func() bool {
		_, code := c.try(t, "kubectl", "get", "serviceaccount/default")
		return code == 0
	})
	return c
}

// tell shows the ends of the daemons' logs when the test has failed.
func (c *cluster) tell(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, unit := range []string{"kube-apiserver", "containerd", "kubelet", "kube-proxy", "kube-router"} {
		log, code := run(t, "tail", "-n", "6", c.file("/var/log/"+unit+".log"))
		if code != 0 {
			continue // not all nodes run it
		}
		t.Log(unit + ": " + log)
	}
}

// putPrograms puts what is not hatchdog's into the node's /usr/local/sbin.
func (c *cluster) putPrograms(t *testing.T) {
	t.Helper()
	built := filepath.Dir(cached(t, "kubernetes-v*/kubelet"))
	c.release = strings.TrimPrefix(filepath.Base(built), "kubernetes-")
	containerd := filepath.Dir(cached(t, "containerd-v*/containerd"))
	programs := []string{
		pinnedRunc(t), cached(t, "etcd-server-*/usr/bin/etcd"), containerd + "/containerd", containerd + "/containerd-shim-runc-v2",
		containerd + "/ctr", "testdata/cluster/systemctl",
	}
	for _, p := range []string{"kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		programs = append(programs, built+"/"+p)
	}
	for _, p := range programs {
		mustRun(t, "cp", p, c.file("/usr/local/sbin/"))
	}
}

// sysctls are what the kubelet wants of the kernel. It gets files that say so:
// the host's own settings stay.
var sysctls = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// putFiles writes the configuration, the daemons' units and the control groups.
func (c *cluster) putFiles(t *testing.T, kind nodeKind) {
	t.Helper()
	put := func(path, text string, mode os.FileMode) {
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), mode))
	}
	c.do(t, "mkdir", "-p", "/etc/containerd", "/etc/cni/net.d")
	put(c.file("/etc/containerd/config.toml"), read(t, "testdata/cluster/containerd.toml"), 0o644)
	put(c.file("/etc/cni/net.d/10-cluster.conflist"), read(t, "testdata/cluster/cni.json"), 0o644)
	mustRun(t, "sh", "-c", "for d in /sys/fs/cgroup/*/; do [ ! -e $d/cgroup.procs ] || mkdir $d/"+c.groups+"; done; [ ! -e /sys/fs/cgroup/cgroup.procs ] || mkdir /sys/fs/cgroup/"+c.groups)
	put(c.dir+"/kubelet.yaml", read(t, "testdata/cluster/kubelet.yaml")+"cgroupRoot: /"+c.groups+"\n", 0o644)

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	put(c.dir+"/accounts.key", string(private), 0o600)
	tokens := ""
	for user, group := range map[string]string{
		"admin": "system:masters", "system:node:node1": "system:nodes", "system:kube-scheduler": "", "system:kube-controller-manager": "",
	} {
		name := user[strings.LastIndex(user, ":")+1:]
		token := rand.Text()
		tokens += fmt.Sprintf("%s,%s,%s,%q\n", token, user, name, group)
		put(c.dir+"/"+name+".conf", fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "https://%s:6443", insecure-skip-tls-verify: true}}], users: [{name: u, user: {token: %s}}]}`, clusterAddress, token), 0o600)
	}
	put(c.dir+"/tokens.csv", tokens, 0o600)

	binds := ""
	for name, value := range sysctls {
		file := c.dir + "/sysctl/" + name
		put(file, value+"\n", 0o644)
		binds += "[ ! -e /proc/sys/" + name + " ] || mount --bind " + file + " /proc/sys/" + name + "\n"
	}
	put(c.dir+"/kubelet.sh", "#!/bin/sh\nset -e\n"+binds+"exec kubelet --config DIR/kubelet.yaml --kubeconfig DIR/node1.conf --hostname-override node1 --node-ip "+kind.addresses+"\n", 0o755)
	for unit, command := range units {
		text := strings.NewReplacer("DIR", c.dir, "ADDRESS", clusterAddress, "SERVICES", kind.services).Replace("#!/bin/sh\nexport PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nexec " + command + "\n")
		put(c.file("/usr/local/sbin/units/"+unit), text, 0o755)
	}
	put(c.dir+"/kubelet.sh", strings.ReplaceAll(read(t, c.dir+"/kubelet.sh"), "DIR", c.dir), 0o755)
}

// units are the daemons' command lines.
var units = map[string]string{
	"etcd":       "etcd --data-dir DIR/etcd --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380",
	"containerd": "containerd --config /etc/containerd/config.toml",
	"kubelet":    "unshare --mount --propagation unchanged DIR/kubelet.sh",
	"kube-apiserver": "kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address ADDRESS --secure-port 6443 --cert-dir DIR/certificates" +
		" --service-cluster-ip-range SERVICES --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --token-auth-file DIR/tokens.csv --allow-privileged" +
		" --kubelet-preferred-address-types InternalIP --service-account-issuer https://kubernetes.default.svc --service-account-key-file DIR/accounts.key --service-account-signing-key-file DIR/accounts.key",
	"kube-controller-manager": "kube-controller-manager --kubeconfig DIR/kube-controller-manager.conf --leader-elect=false --secure-port 0 --use-service-account-credentials" +
		" --service-account-private-key-file DIR/accounts.key --root-ca-file DIR/certificates/apiserver.crt",
	"kube-scheduler": "kube-scheduler --kubeconfig DIR/kube-scheduler.conf --authentication-kubeconfig DIR/kube-scheduler.conf --authorization-kubeconfig DIR/kube-scheduler.conf --leader-elect=false --secure-port 0",
	// What only a node with a network for Services and policies runs.
	"kube-proxy": "kube-proxy --kubeconfig DIR/admin.conf --hostname-override node1 --proxy-mode nftables --cluster-cidr 10.98.0.0/16,fd98::/48" +
		" --conntrack-max-per-core 0 --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0",
	"kube-router": "env LD_LIBRARY_PATH=/usr/local/sbin kube-router --run-router=false --run-service-proxy=false --run-firewall=true --kubeconfig DIR/admin.conf" +
		" --hostname-override node1 --enable-ipv6 --service-cluster-ip-range SERVICES --iptables-sync-period 10s",
	"node-web": "busybox httpd -f -p 8099 -h /usr/local/sbin/units",
}

// importImage gives the node's containerd an image of one layer.
func (c *cluster) importImage(t *testing.T, name string, layer []byte, command ...string) {
	t.Helper()
	file := filepath.Join(c.dir, "image.tar")
	must(t, os.WriteFile(file, ociArchive(t, name, layer, command...), 0o600))
	c.do(t, "ctr", "-n", "k8s.io", "images", "import", file)
}

// installerTar is a root file system with a shell and nsenter, and the programs
// where deploy/kubernetes/Containerfile puts them.
func installerTar(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for r := tar.NewReader(bytes.NewReader(busyboxTar(t))); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		must(t, w.WriteHeader(h))
		_, err = io.Copy(w, r)
		must(t, err)
	}
	bin := buildShim(t)
	for _, p := range []string{"hatchdog", "hatchctl", "containerd-shim-hatchdog-v1"} {
		data, err := os.ReadFile(bin + "/" + p)
		must(t, err)
		must(t, w.WriteHeader(&tar.Header{Name: "opt/hatchdog/" + p, Mode: 0o755, Size: int64(len(data))}))
		_, err = w.Write(data)
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

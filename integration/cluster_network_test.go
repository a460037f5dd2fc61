package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestClusterNetwork is a node with addresses of both families, kube-proxy for
// Services and kube-router for NetworkPolicies, whose pods are on CNI's bridge and
// then on its ptp. Pods of hatchdog are held to their profile's rules and to the
// NetworkPolicies, and pods of plain runc beside them to the policies alone.
func TestClusterNetwork(t *testing.T) {
	require(t, "kubernetes", "kube-router")
	c := startClusterOf(t, dualStack)
	c.install(t)
	if t.Failed() {
		return
	}
	c.do(t, "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1", "net.bridge.bridge-nf-call-ip6tables=1")
	c.putNetwork(t)
	for _, plugin := range []string{"bridge", "ptp"} {
		t.Run(plugin, func(t *testing.T) {
			must(t, os.WriteFile(c.file("/etc/cni/net.d/10-cluster.conflist"), []byte(read(t, "testdata/cluster/"+plugin+".json")), 0o644))
			c.do(t, "systemctl", "restart", "containerd")
			waitFor(t, "containerd", func() bool { _, code := c.try(t, "ctr", "version"); return code == 0 })
			c.ready(t, "node/node1")
			n := &network{cluster: c, plugin: plugin}
			n.start(t)
			t.Run("addresses and services", n.addresses)
			t.Run("a policy denies ingress", n.ingress)
			t.Run("a policy denies egress", n.egress)
			t.Run("a policy allows all", n.open)
			c.gone(t, "pods,services", "-l", "tests=network", "--grace-period=1")
		})
	}
}

// putNetwork starts what serves the node, kube-proxy and kube-router.
func (c *cluster) putNetwork(t *testing.T) {
	t.Helper()
	for _, p := range []string{"kube-proxy-v*/kube-proxy", "kube-router-v*/kube-router", "ipset-*/usr/sbin/ipset", "libipset13-*/usr/lib/x86_64-linux-gnu/libipset.so.13"} {
		mustRun(t, "cp", "-L", cached(t, p), c.file("/usr/local/sbin/"))
	}
	for _, unit := range []string{"kube-proxy", "kube-router", "node-web"} {
		c.do(t, "systemctl", "start", unit)
	}
}

// network are the pods on one of CNI's plugins.
type network struct {
	*cluster
	plugin string
	at     map[string][]string // pod or service: its IPv4 and IPv6 address
}

// The clients and servers of both kinds.
var networkPods = map[string]string{"web-ours": "hatchdog", "web-plain": "", "friend-ours": "hatchdog", "friend-plain": "", "other-ours": "hatchdog", "other-plain": ""}

var networkClients = []string{"friend-ours", "friend-plain", "other-ours", "other-plain"}

func (n *network) start(t *testing.T) {
	for pod, class := range networkPods {
		role, kind, _ := strings.Cut(pod, "-")
		yaml := podYAML(pod, class, "mkdir -p /tmp/w; echo served >/tmp/w/index.html; httpd -p 8080 -h /tmp/w; "+sleeps)
		yaml = strings.Replace(yaml, "labels: {", "labels: {tests: network, role: "+role+", kind: "+kind+", ", 1)
		if class == "" {
			yaml = strings.Replace(yaml, "  runtimeClassName: \n", "", 1)
		}
		n.apply(t, yaml)
	}
	for _, kind := range []string{"ours", "plain"} {
		n.apply(t, fmt.Sprintf("{apiVersion: v1, kind: Service, metadata: {name: web-%[1]s, labels: {tests: network}}, spec: {ipFamilyPolicy: RequireDualStack, selector: {role: web, kind: %[1]s}, ports: [{port: 80, targetPort: 8080}]}}", kind))
	}
	n.at = map[string][]string{}
	for pod := range networkPods {
		n.ready(t, "pod/"+pod)
		n.at[pod] = strings.Fields(n.kubectl(t, "get", "pod/"+pod, "-o", "jsonpath={.status.podIPs[*].ip}"))
	}
	for _, kind := range []string{"ours", "plain"} {
		n.at["service-"+kind] = strings.Fields(n.kubectl(t, "get", "service/web-"+kind, "-o", "jsonpath={.spec.clusterIPs[*]}"))
	}
	for name, at := range n.at {
		if len(at) != 2 || strings.Contains(at[0], ":") || !strings.Contains(at[1], ":") {
			t.Fatalf("%s has not one address of each family: %v", name, at)
		}
	}
}

// targets are what a client may reach: both servers by address and by service, and
// the node.
func (n *network) targets(server, service, node bool) map[string]bool {
	want := map[string]bool{"tcp=" + clusterAddress + ":8099": node, "tcp=[" + clusterAddress6 + "]:8099": node}
	for _, kind := range []string{"ours", "plain"} {
		want["tcp="+n.at["web-"+kind][0]+":8080"], want["tcp=["+n.at["web-"+kind][1]+"]:8080"] = server, server
		want["tcp="+n.at["service-"+kind][0]+":80"], want["tcp=["+n.at["service-"+kind][1]+"]:80"] = service, service
	}
	return want
}

// reaches waits until what a client reaches is what it should: kube-proxy and
// kube-router are told of changes a while after the API server is.
func (n *network) reaches(t *testing.T, client string, want map[string]bool) {
	t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute * time.Duration(patience())); time.Now().Before(end); time.Sleep(time.Second) {
		got = n.inside(t, client, append([]string{"reach"}, keys(want)...)...)
		if holds(got, want) {
			return
		}
	}
	t.Errorf("%s:", client)
	wantReach(t, got, want)
}

func holds(got string, want map[string]bool) bool {
	for arg, through := range want {
		if strings.Contains(got, arg+" yes\n") != through {
			return false
		}
	}
	return true
}

// A pod has both addresses and, without a NetworkPolicy, reaches all but what its
// profile denies: the node.
func (n *network) addresses(t *testing.T) {
	for _, client := range networkClients {
		ours := strings.HasSuffix(client, "-ours")
		if ours {
			n.confined(t, client)
			wantLines(t, n.do(t, "hatchctl", "net", "default/"+client+"/c"), "out, by")
		}
		inside := n.inside(t, client, "ip", "addr")
		wantLines(t, inside, n.at[client][0], n.at[client][1])
		n.reaches(t, client, n.targets(true, true, !ours))
	}
	// What the bridge has, one prefix for all pods, ptp has not.
	if routes := n.inside(t, "other-ours", "ip", "route"); strings.Contains(routes, "10.98.128.1 ") != (n.plugin == "ptp") {
		t.Errorf("the routes are not those of %s:\n%s", n.plugin, routes)
	}
}

// policy holds while f runs.
func (n *network) policy(t *testing.T, spec string, f func()) {
	t.Helper()
	n.apply(t, "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: tried}, spec: "+spec+"}")
	f()
	n.gone(t, "networkpolicy/tried")
	for _, client := range networkClients { // the profile's rules are as before
		n.reaches(t, client, n.targets(true, true, !strings.HasSuffix(client, "-ours")))
	}
}

// Servers of both kinds take friends alone.
func (n *network) ingress(t *testing.T) {
	n.policy(t, "{podSelector: {matchLabels: {role: web}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {role: friend}}}]}]}", func() {
		for _, client := range networkClients {
			friend := strings.HasPrefix(client, "friend")
			n.reaches(t, client, n.targets(friend, friend, !strings.HasSuffix(client, "-ours")))
		}
	})
}

// Clients of both kinds may go nowhere, and friends go on.
func (n *network) egress(t *testing.T) {
	n.policy(t, "{podSelector: {matchLabels: {role: other}}, policyTypes: [Egress]}", func() {
		for _, client := range networkClients {
			friend := strings.HasPrefix(client, "friend")
			n.reaches(t, client, n.targets(friend, friend, friend && !strings.HasSuffix(client, "-ours")))
		}
	})
}

// A policy that allows all opens nothing that the profile denies.
func (n *network) open(t *testing.T) {
	n.policy(t, "{podSelector: {}, policyTypes: [Egress, Ingress], egress: [{}], ingress: [{}]}", func() {
		time.Sleep(3 * time.Second) // until it is there; what it allows was allowed before
		for _, client := range networkClients {
			n.reaches(t, client, n.targets(true, true, !strings.HasSuffix(client, "-ours")))
		}
	})
}

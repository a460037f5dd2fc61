package integration

import (
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var critestProgram = flag.String("critest", "", "the program of Kubernetes' CRI validation; without it TestCritest is not run")

// TestCritest runs Kubernetes' own validation of a container runtime through
// containerd's CRI over runc, hatchdog in complain mode, hatchdog in enforce mode
// and our shim. Complain mode may differ nowhere, enforce mode where
// suites/critest.txt says.
func TestCritest(t *testing.T) {
	if *critestProgram == "" {
		t.Skip("make suites builds critest and runs this")
	}
	k := startCRI(t)
	serveImages(t, k)
	c := critest{k}
	c.mapPorts(t)
	plain := c.over(t, "plain")
	enforce, shim := c.over(t, "hatchdog"), c.over(t, "shim")
	must(t, os.WriteFile(k.policy, append([]byte("mode: complain\n"), []byte(read(t, k.policy))...), 0o600))
	complain := c.over(t, "hatchdog")

	worse(t, "complain mode", plain, complain, nil)
	known := knownReasons(t)
	worse(t, "enforce mode", plain, enforce, known)
	worse(t, "enforce mode, our shim", plain, shim, known)
}

// critest runs the program over the handlers of a containerd.
type critest struct{ k *kubelet }

// mapPorts gives pods the ports of their host that they ask for.
func (c *critest) mapPorts(t *testing.T) {
	t.Helper()
	network := read(t, c.k.dir+"/net.d/10-it.conflist")
	network = strings.Replace(network, `}]}}]}`, `}]}},{"type":"portmap","capabilities":{"portMappings":true}}]}`, 1)
	must(t, os.WriteFile(c.k.dir+"/net.d/05-ports.conflist", []byte(network), 0o600))
	waitFor(t, "the network with ports", func() bool {
		answer, _ := c.k.try(t, "Status", object{"verbose": true})
		info, _ := answer["info"].(object)
		last, _ := info["cniconfig"].(string)
		return strings.Contains(last, "portmap")
	})
}

// over returns how each test ended over a handler.
func (c *critest) over(t *testing.T, handler string) map[string]string {
	t.Helper()
	report := filepath.Join(t.TempDir(), handler+".xml")
	scratch := filepath.Join(c.k.dir, "critest") // what it mounts is unmounted at the end
	must(t, os.MkdirAll(scratch, 0o755))
	cmd := exec.Command("nsenter", "--net="+c.k.network, *critestProgram,
		"-runtime-endpoint=unix://"+c.k.socket, "-image-endpoint=unix://"+c.k.socket, "-runtime-handler="+handler,
		"-ginkgo.junit-report="+report, "-ginkgo.seed=1", "-ginkgo.no-color", "-ginkgo.timeout=30m", "-ginkgo.skip=NRI|AppArmor|SELinux")
	cmd.Env = append(os.Environ(), "TMPDIR="+scratch)
	out, err := cmd.CombinedOutput()
	file, readErr := os.ReadFile(report)
	if readErr != nil {
		t.Fatalf("%s: %v %v %s", handler, err, readErr, last(out))
	}
	must(t, os.WriteFile(filepath.Join(filepath.Dir(*critestProgram), handler+".log"), out, 0o600))
	var suites struct {
		Cases []struct {
			Name   string `xml:"name,attr"`
			Status string `xml:"status,attr"`
		} `xml:"testsuite>testcase"`
	}
	must(t, xml.NewDecoder(bytes.NewReader(file)).Decode(&suites))
	ends, counts := map[string]string{}, map[string]int{}
	for _, s := range suites.Cases {
		if strings.HasPrefix(s.Name, "[It]") {
			ends[s.Name] = s.Status
			counts[s.Status]++
		}
	}
	t.Logf("%s: %v", handler, counts)
	return ends
}

func last(out []byte) string { return string(out[max(0, len(out)-2000):]) }

// worse fails for what passed over runc and did not here, except for what is known.
func worse(t *testing.T, what string, plain, here map[string]string, known map[string]bool) {
	t.Helper()
	if len(plain) < 80 {
		t.Errorf("%d tests were run over runc", len(plain))
	}
	for _, name := range slices.Sorted(maps.Keys(plain)) {
		if plain[name] == "passed" && here[name] != "passed" && !known[name] {
			t.Errorf("%s: %s: %s", what, here[name], name)
		}
		if here[name] == "passed" && known[name] {
			t.Errorf("%s: passes, and critest.txt says otherwise: %s", what, name)
		}
	}
}

// knownReasons reads suites/critest.txt: a test and, behind a tab, why it fails.
func knownReasons(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	for line := range strings.Lines(read(t, "suites/critest.txt")) {
		name, reason, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if strings.HasPrefix(name, "#") {
			continue
		}
		if !ok || reason == "" {
			t.Fatalf("critest.txt: no reason: %s", line)
		}
		known[name] = true
	}
	return known
}

// serveImages starts a registry of the images that critest pulls, in the network
// namespace of containerd, which takes it for those that critest names.
func serveImages(t *testing.T, k *kubelet) {
	t.Helper()
	program, small := filepath.Join(t.TempDir(), "registry"), filepath.Join(t.TempDir(), "busybox.tar")
	build := exec.Command("go", "-C", "suites/registry", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	must(t, os.WriteFile(small, busyboxTar(t), 0o600))
	const address = "127.0.0.1:5000" // of a network namespace of its own
	log := k.dir + "/registry.log"
	serving := daemonIn(t, k.network, log, nil, program, address, small, cached(t, "servers-*.tar"))
	t.Cleanup(func() { stop(serving) })
	waitFor(t, "the registry", func() bool {
		time.Sleep(time.Second)
		return strings.Contains(read(t, log), "ready")
	})
	for _, registry := range []string{"registry.k8s.io", "k8s.gcr.io", "gcr.io"} {
		dir := filepath.Join(k.dir, "registries", registry)
		must(t, os.MkdirAll(dir, 0o755))
		must(t, os.WriteFile(dir+"/hosts.toml", fmt.Appendf(nil, "server = %[1]q\n[host.%[1]q]\ncapabilities = [\"pull\", \"resolve\"]\n", "http://"+address), 0o600))
	}
}

package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const openProfile = "profile: open\nprofiles:\n  open: {extends: builtin/restricted, egress: {default: allow, allow: [], deny: [metadata]}}\n"

// Whatever the second container's policy is, the first one's holds as well.
func TestEgressDockerSharedNamespace(t *testing.T) {
	eachDocker(t, egressDockerSharedNamespace)
}

func egressDockerSharedNamespace(t *testing.T, d *docker) {
	d.outside(t)
	outsideTCP, metadataTCP := "tcp="+outsideAddr+":80", "tcp="+metadataAddr+":80"
	hostTCP := "tcp=" + hostAddr + ":" + servicePort

	d.setPolicy(t, "profile: untrusted\n")
	first := d.background(t, "busybox", "sleep", "600")
	d.setPolicy(t, openProfile)
	d.reach(t, map[string]bool{outsideTCP: false, hostTCP: false}, "--network", "container:"+first)
	d.reach(t, map[string]bool{outsideTCP: true, hostTCP: true, metadataTCP: false})

	second := d.background(t, "busybox", "sleep", "600")
	d.setPolicy(t, "profile: restricted\n")
	d.reach(t, map[string]bool{outsideTCP: true, hostTCP: false, metadataTCP: false}, "--network", "container:"+second)
	out, code := d.hatchctl(t, "net", second[:12])
	if code != 0 {
		t.Fatal(out)
	}
	wantLines(t, out, "out, by open", "out, by the policy of another container in this namespace", "forwarded for others")
}

func TestEgressDockerIsExplained(t *testing.T) {
	eachDocker(t, egressDockerIsExplained)
}

func egressDockerIsExplained(t *testing.T, d *docker) {
	d.outside(t)
	id := d.background(t, "busybox", "sh", "-c", "reach tcp="+metadataAddr+":80 tcp="+outsideAddr+":80; sleep 600")
	waitFor(t, "the container to try", func() bool { return strings.Count(d.do(t, "logs", id), "\n") == 2 })
	out, code := d.hatchctl(t, "net", id)
	if code != 0 {
		t.Fatal(out)
	}
	t.Log(out)
	wantLines(t, out, "out, by builtin/restricted", "deny metadata", "builtin/baseline:", "allow default", "to "+metadataAddr+":80/tcp")
	var report struct {
		Noted []struct {
			Addr    string
			Port    int
			Packets int
		}
	}
	out, _ = d.hatchctl(t, "net", "--json", id)
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Noted) != 1 || report.Noted[0].Addr != metadataAddr || report.Noted[0].Packets == 0 {
		t.Errorf("%v %s", err, out)
	}
	d.do(t, "rm", "-f", id)
	log, err := os.ReadFile(d.dir + "/log/audit.jsonl")
	must(t, err)
	last := log[strings.LastIndex(strings.TrimSpace(string(log)), "\n")+1:]
	wantLines(t, string(last), `"event":"network"`, `"id":"`+id, metadataAddr)
	if out, code := d.hatchctl(t, "explain", id); code != 0 || strings.Contains(out, "0001-01-01") {
		t.Errorf("explain of a container whose drops were logged: %s", out)
	}
}

// A container does not start where its rules cannot be installed.
func TestEgressDockerStartFails(t *testing.T) {
	eachDocker(t, egressDockerStartFails)
}

func egressDockerStartFails(t *testing.T, d *docker) {
	lock := d.dir + "/state/@network"
	_ = os.Remove(lock)
	must(t, os.MkdirAll(lock, 0o700))
	out, code := d.run(t, "busybox", "echo", "STARTED")
	must(t, os.Remove(lock))
	if code == 0 || strings.Contains(out, "STARTED\n") {
		t.Errorf("started without its rules: %s", out)
	}
	wantLines(t, out, "network rules: firewall: lock")
	if out, code := d.run(t, "busybox", "true"); code != 0 {
		t.Error(out)
	}
}

func TestEgressDockerCapabilities(t *testing.T) {
	eachDocker(t, egressDockerCapabilities)
}

func egressDockerCapabilities(t *testing.T, d *docker) {
	d.setPolicy(t, "profile: net\nprofiles:\n  net: {extends: builtin/baseline, capabilities: {max: [NET_ADMIN, NET_RAW, CHOWN]}}\n")
	out, code := d.run(t, "--cap-add", "NET_ADMIN", "busybox", "true")
	if code == 0 {
		t.Error("started")
	}
	wantLines(t, out, "CAP_NET_ADMIN", "take the profile's network rules away", "egress to {default: allow")
	d.setPolicy(t, "profile: net\nprofiles:\n  net: {extends: builtin/baseline, onExcess: {egress: tighten}, capabilities: {max: [NET_ADMIN, NET_RAW, CHOWN]}}\n")
	got, code := d.run(t, "--cap-add", "NET_ADMIN", "busybox", "reach", "flush", "raw", "packet")
	if code != 0 {
		t.Fatal(got)
	}
	wantReach(t, got, map[string]bool{"flush": false, "raw": false, "packet": false})
}

// Docker's resolver for its own networks works from within the container.
func TestEgressDockerEmbeddedDNS(t *testing.T) {
	eachDocker(t, egressDockerEmbeddedDNS)
}

func egressDockerEmbeddedDNS(t *testing.T, d *docker) {
	d.outside(t)
	d.do(t, "network", "create", "egress-it")
	t.Cleanup(func() { d.try(t, "network", "rm", "egress-it") })
	other := d.background(t, "--network", "egress-it", "--name", "neighbour", "busybox", "reach", "serve=:80")
	t.Cleanup(func() { d.try(t, "rm", "-f", other) })
	d.reach(t, map[string]bool{"name=neighbour": true, "name=example.test": true, "tcp=neighbour:80": true, "tcp=" + metadataAddr + ":80": false},
		"--network", "egress-it", "--dns", outsideAddr)
	d.setPolicy(t, "profile: untrusted\n")
	d.reach(t, map[string]bool{"name=neighbour": true, "tcp=neighbour:80": false, "name=example.test": false}, "--network", "egress-it", "--dns", outsideAddr)
	got, code := d.run(t, "--network", "none", "busybox", "reach", "tcp="+outsideAddr+":80")
	if code != 0 || !strings.Contains(got, "no:") {
		t.Error(got)
	}
}

package integration

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// starts is how often the window between start and rules is looked at.
const starts = 200

// bundleOf is a bundle that runs `reach` with what edit makes of its spec.
func bundleOf(t *testing.T, args []string, edit func(*specs.Spec)) string {
	t.Helper()
	dir := makeBundle(t, "true")
	reach, err := os.ReadFile(tested.dir + "/bin/reach")
	must(t, err)
	must(t, os.WriteFile(dir+"/rootfs/bin/reach", reach, 0o755))
	raw, err := os.ReadFile(dir + "/config.json")
	must(t, err)
	var s specs.Spec
	must(t, json.Unmarshal(raw, &s))
	s.Process.Args = append([]string{"/bin/reach"}, args...)
	edit(&s)
	raw, err = json.Marshal(&s)
	must(t, err)
	must(t, os.WriteFile(dir+"/config.json", raw, 0o600))
	return dir
}

func joinNetwork(s *specs.Spec, path string) {
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == specs.NetworkNamespace {
			s.Linux.Namespaces[i].Path = path
		}
	}
}

// bare is a network namespace with one link to the engines' namespace, made
// for one test.
func bare(t *testing.T, name string) string {
	t.Helper()
	ns, err := netns()
	must(t, err)
	engines := strings.TrimPrefix(ns, "/run/netns/")
	mustRun(t, "ip", "netns", "add", name)
	t.Cleanup(func() { run(t, "ip", "netns", "delete", name) })
	for _, line := range []string{
		"-n " + engines + " link add " + name + " type veth peer name eth0 netns " + name,
		"-n " + engines + " addr add 10.213.0.1/24 dev " + name,
		"-n " + engines + " addr add fd00:213::1/64 dev " + name + " nodad",
		"-n " + engines + " link set " + name + " up",
		"-n " + name + " addr add 10.213.0.2/24 dev eth0",
		"-n " + name + " addr add fd00:213::2/64 dev eth0 nodad",
		"-n " + name + " link set lo up",
		"-n " + name + " link set eth0 up",
		"-n " + name + " route add default via 10.213.0.1",
		"-n " + name + " -6 route add default via fd00:213::1",
	} {
		mustRun(t, "ip", strings.Fields(line)...)
	}
	forwarding(t)
	return "/run/netns/" + name
}

// runOutside runs a bundle under hatchdog, in the engines' namespace.
func runOutside(t *testing.T, dir, id, bundle string) (string, int) {
	t.Helper()
	ns, err := netns()
	must(t, err)
	return run(t, "nsenter", "--net="+ns, "env", "HATCHDOG_POLICY="+dir+"/policy.yaml", tested.hatchdog, "--root", dir+"/root", "run", "--bundle", bundle, id)
}

func TestEgressBareNamespace(t *testing.T) {
	startOutside(t)
	path := bare(t, "hd-bare")
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755)) // the root of a user namespace passes through
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	// The first packets over IPv6 wait for the neighbours to be found.
	waitFor(t, "the way outside", func() bool {
		out, _ := run(t, "nsenter", "--net="+path, filepath.Join(tested.dir, "bin", "reach"), "tcp=["+internetAddr6+"]:8080", "tcp=["+outsideAddr6+"]:80")
		return strings.Count(out, " yes") == 2
	})
	want := map[string]bool{
		"tcp=" + metadataAddr + ":80":      false,
		"tcp=[" + metadataAddr6 + "]:80":   false,
		"tcp=10.213.0.1:8080":              false,
		"tcp=[fd00:213::1]:8080":           false,
		"tcp=" + outsideAddr + ":80":       true,
		"tcp=[" + outsideAddr6 + "]:80":    true,
		"udp=" + outsideAddr + ":8080":     true,
		"big=" + outsideAddr + ":8080":     true,
		"big=[" + outsideAddr6 + "]:8080":  true,
		"tcp=[" + internetAddr6 + "]:8080": true,
		"packet":                           false, "flush": false, "own-user-namespace-flush": false,
	}
	for _, c := range []struct {
		profile string
		want    map[string]bool
	}{
		{"profile: restricted\n", want},
		{"profile: listed\nprofiles:\n  listed: {extends: builtin/untrusted, egress: {allow: [\"" + outsideAddr + ":80/tcp\", \"[2001:db8:1::/64]:8080/udp\"]}}\n", map[string]bool{
			"tcp=" + outsideAddr + ":80": true, "udp=" + outsideAddr + ":8080": false, "tcp=" + outsideAddr + ":8080": false,
			"udp=[" + outsideAddr6 + "]:8080": true, "big=[" + outsideAddr6 + "]:8080": true, "tcp=[" + outsideAddr6 + "]:80": false,
		}},
	} {
		policyFile(t, dir, c.profile)
		bundle := bundleOf(t, keys(c.want), func(s *specs.Spec) { joinNetwork(s, path) })
		got, code := runOutside(t, dir, "bare", bundle)
		if code != 0 {
			t.Fatal(got)
		}
		wantReach(t, got, c.want)
		run(t, "nsenter", "--net="+path, "nft", "delete", "table", "inet", "hatchdog") // for the next profile
	}
	open := bundleOf(t, []string{"tcp=" + metadataAddr + ":80", "tcp=[" + metadataAddr6 + "]:80", "tcp=10.213.0.1:8080"}, func(s *specs.Spec) { joinNetwork(s, path) })
	policyFile(t, dir, "profile: open\nprofiles:\n  open: {extends: builtin/restricted, egress: {default: allow, allow: [], deny: []}}\n")
	got, _ := runOutside(t, dir, "open", open)
	wantReach(t, got, map[string]bool{"tcp=" + metadataAddr + ":80": true, "tcp=[" + metadataAddr6 + "]:80": true, "tcp=10.213.0.1:8080": true})
}

// No packet gets out between the start of a container and its rules, whoever
// wires it: the container sends from its first instruction.
func TestEgressNoWindow(t *testing.T) {
	o := startOutside(t)
	dir := t.TempDir()
	wire := filepath.Join(tested.dir, "wire")
	script := `#!/bin/sh
set -e
pid=$(sed 's/.*"pid":\([0-9]*\).*/\1/')
name=hdw$pid
ip link add $name type veth peer name eth0 netns $pid
net=10.214.$((pid % 250)) # that of the one before may not be gone yet
ip addr add $net.1/24 dev $name; ip link set $name up
nsenter --net=/proc/$pid/ns/net ip addr add $net.2/24 dev eth0
nsenter --net=/proc/$pid/ns/net ip link set eth0 up
nsenter --net=/proc/$pid/ns/net ip route add default via $net.1
`
	must(t, os.WriteFile(wire, []byte(script), 0o755))
	policyFile(t, dir, fmt.Sprintf("profile: wired\nprofiles:\n  wired: {extends: builtin/restricted, hooks: {allow: [%s]}}\n", wire))
	forwarding(t)
	sniffer := -1
	must(t, inNamespace(t, o.path, func() error {
		var err error
		sniffer, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0x0300) // every protocol
		if err == nil {
			err = unix.SetsockoptInt(sniffer, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<24)
		}
		return err
	}))
	defer unix.Close(sniffer)
	bundle := bundleOf(t, []string{"udp=" + metadataAddr + ":8080", "udp=" + outsideAddr + ":8080"}, func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: wire}}}
	})
	spec, err := os.ReadFile(bundle + "/config.json")
	must(t, err)
	through := 0
	for i := range starts {
		must(t, os.WriteFile(bundle+"/config.json", spec, 0o600))
		out, code := runOutside(t, dir, fmt.Sprintf("window%d", i), bundle)
		if code != 0 {
			t.Fatal(out)
		}
		if strings.Contains(out, "udp="+outsideAddr+":8080 yes") {
			through++
		}
	}
	allowed, forbidden := sniffed(sniffer)
	if forbidden > 0 || through < starts*9/10 || allowed < starts {
		t.Errorf("%d starts: %d got through to what is allowed, of which the far end saw %d packets; it saw %d that are forbidden", starts, through, allowed, forbidden)
	}
}

// sniffed counts packets to the outside's own address and to the metadata
// service.
func sniffed(fd int) (allowed, forbidden int) {
	b := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, b, 0)
		if err != nil {
			return allowed, forbidden
		}
		if n < 20 || b[0]>>4 != 4 {
			continue
		}
		switch to, _ := netip.AddrFromSlice(b[16:20]); to.String() {
		case outsideAddr:
			allowed++
		case metadataAddr:
			forbidden++
		}
	}
}

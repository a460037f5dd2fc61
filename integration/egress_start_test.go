package integration

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// held is a container that was created and is not started.
type held struct{ dir, id string }

// engines runs a program in the engines' namespace.
func (h held) engines(t *testing.T, program string, args ...string) (string, int) {
	t.Helper()
	ns, err := netns()
	must(t, err)
	return run(t, "nsenter", append([]string{"--net=" + ns, "env", "HATCHDOG_POLICY=" + h.dir + "/policy.yaml", program}, args...)...)
}

func (h held) hatchdog(t *testing.T, args ...string) (string, int) {
	t.Helper()
	return h.engines(t, tested.hatchdog, append([]string{"--root", h.dir + "/root"}, args...)...)
}

// createHeld creates a container that runs reach, its output in a file.
func createHeld(t *testing.T, dir, id string, args ...string) held {
	t.Helper()
	return createBundle(t, dir, id, bundleOf(t, args, func(*specs.Spec) {}))
}

// createBundle creates a container of a bundle.
func createBundle(t *testing.T, dir, id, bundle string) held {
	t.Helper()
	h := held{dir, id}
	t.Cleanup(func() { h.hatchdog(t, "delete", "--force", id) })
	ns, err := netns()
	must(t, err)
	// A pipe: a file of ours may not become the user's of the container.
	said, out, err := os.Pipe()
	must(t, err)
	kept, err := os.OpenFile(dir+"/"+id+".out", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	must(t, err)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(kept, said) // until the container is gone
		_ = errors.Join(kept.Close(), said.Close())
	}()
	cmd := exec.Command("nsenter", "--net="+ns, tested.hatchdog, "--root", dir+"/root", "create", "--bundle", bundle, "--pid-file", dir+"/"+id+".pid", id)
	cmd.Env = append(os.Environ(), "HATCHDOG_POLICY="+dir+"/policy.yaml")
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	out.Close()
	if err != nil {
		<-copied
		t.Fatalf("create: %v: %s", err, read(t, kept.Name()))
	}
	return h
}

func (h held) namespace(t *testing.T) string {
	t.Helper()
	pid, err := os.ReadFile(h.dir + "/" + h.id + ".pid")
	must(t, err)
	return "/proc/" + string(pid) + "/ns/net"
}

// wire gives the namespace of a container a link to the engines', as an engine
// does between create and start.
func (h held) wire(t *testing.T, name, net, net6 string) {
	t.Helper()
	ns, err := netns()
	must(t, err)
	inside := h.namespace(t)
	mustRun(t, "nsenter", "--net="+ns, "ip", "link", "add", name, "type", "veth", "peer", "name", "p"+name)
	mustRun(t, "nsenter", "--net="+ns, "ip", "link", "set", "p"+name, "netns", strings.Split(inside, "/")[2])
	t.Cleanup(func() { run(t, "nsenter", "--net="+ns, "ip", "link", "delete", name) })
	for _, line := range []string{"addr add " + net + ".1/24 dev " + name, "addr add " + net6 + "::1/64 dev " + name + " nodad", "link set " + name + " up"} {
		mustRun(t, "nsenter", append([]string{"--net=" + ns, "ip"}, strings.Fields(line)...)...)
	}
	for _, line := range []string{
		"addr add " + net + ".2/24 brd + dev p" + name, "addr add " + net6 + "::2/64 dev p" + name + " nodad", "link set p" + name + " up",
		"route replace default via " + net + ".1", "-6 route replace default via " + net6 + "::1",
	} {
		mustRun(t, "nsenter", append([]string{"--net=" + inside, "ip"}, strings.Fields(line)...)...)
	}
	forwarding(t)
}

func (h held) output(t *testing.T, lines int) string {
	t.Helper()
	var out []byte
	waitFor(t, "the container to have tried all", func() bool {
		out, _ = os.ReadFile(h.dir + "/" + h.id + ".out")
		return strings.Count(string(out), "\n") >= lines
	})
	return string(out)
}

func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755)) // the root of a user namespace passes through
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	return dir
}

// An engine that wires the namespace between create and start (the current
// Docker, `ctr run --cni`) finds it held to the profile before anything runs.
func TestEgressWiredBeforeStart(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, "profile: restricted\n")
	want := map[string]bool{
		"tcp=" + metadataAddr + ":80":   false,
		"udp=" + metadataAddr + ":8080": false,
		"tcp=10.215.0.1:8080":           false, // the gateway
		"udp=10.215.0.255:8080":         false, // whoever is in the subnet
		"udp=[fd00:215::]:8080":         false, // its routers
		"tcp=[fd00:215::1]:8080":        false,
		"tcp=" + hostAddr + ":8080":     false,
		"tcp=10.98.0.7:8080":            false, // of a prefix that the host takes for its own
		"tcp=" + outsideAddr + ":80":    true,
		"udp=" + outsideAddr + ":8080":  true,
		"flush":                         false,
		"own-user-namespace-flush":      false,
		"tcp=[" + outsideAddr6 + "]:80": true,
	}
	ns, err := netns()
	must(t, err)
	mustRun(t, "nsenter", "--net="+ns, "ip", "route", "add", "local", "10.98.0.0/24", "dev", "lo")
	defer run(t, "nsenter", "--net="+ns, "ip", "route", "delete", "local", "10.98.0.0/24", "dev", "lo")
	h := createHeld(t, dir, "wired", keys(want)...)
	h.wire(t, "hdstart", "10.215.0", "fd00:215")
	waitFor(t, "the way outside", func() bool {
		out, _ := run(t, "nsenter", "--net="+h.namespace(t), filepath.Join(tested.dir, "bin", "reach"), "tcp=10.98.0.7:8080", "tcp=["+outsideAddr6+"]:80")
		return strings.Count(out, " yes") == 2
	})
	if out, code := h.hatchdog(t, "start", h.id); code != 0 {
		t.Fatal(out)
	}
	wantReach(t, h.output(t, len(want)), want)
}

// A process that comes before start is held as well.
func TestEgressExecBeforeStart(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, "profile: restricted\n")
	h := createHeld(t, dir, "early", "true")
	h.wire(t, "hdearly", "10.216.0", "fd00:216")
	out, code := h.hatchdog(t, "exec", h.id, "/bin/reach", "tcp="+metadataAddr+":80", "tcp=10.216.0.1:8080", "tcp="+outsideAddr+":80")
	if code != 0 {
		t.Fatal(out)
	}
	wantReach(t, out, map[string]bool{"tcp=" + metadataAddr + ":80": false, "tcp=10.216.0.1:8080": false, "tcp=" + outsideAddr + ":80": true})
}

// A namespace that is wired when the container runs has the rules: they name
// no interface. What the host got after start is not in them, as docs/egress.md
// says.
func TestEgressWiredAfterStart(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, "profile: restricted\n")
	h := createHeld(t, dir, "late", "serve=:7000")
	if out, code := h.hatchdog(t, "start", h.id); code != 0 {
		t.Fatal(out)
	}
	h.wire(t, "hdlate", "10.217.0", "fd00:217")
	want := map[string]bool{
		"tcp=" + metadataAddr + ":80": false, "tcp=" + hostAddr + ":8080": false, "udp=10.217.0.255:8080": false, "udp=[fd00:217::]:8080": false,
		"tcp=" + outsideAddr + ":80": true, "tcp=10.217.0.1:8080": true,
	}
	out, code := h.hatchdog(t, append([]string{"exec", h.id, "/bin/reach"}, keys(want)...)...)
	if code != 0 {
		t.Fatal(out)
	}
	wantReach(t, out, want)
	shown, code := h.engines(t, tested.hatchctl, "net", h.id)
	if code != 0 || !strings.Contains(shown, "deny host") {
		t.Errorf("hatchctl net: %d: %s", code, shown)
	}
}

// What start cannot hold does not start, and the engine's log says why.
func TestStartFailsClosed(t *testing.T) {
	dir := openDir(t)
	policyFile(t, dir, "profile: restricted\n")
	record := func(t *testing.T) string {
		t.Helper()
		found, err := filepath.Glob(dir + "/state/*/closed*/record.json")
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return filepath.Dir(found[0])
	}
	for i, c := range []struct {
		name, say string
		break_    func(t *testing.T, h held)
	}{
		{"a record that cannot be read", "record", func(t *testing.T, _ held) {
			must(t, os.WriteFile(record(t)+"/record.json", []byte("{"), 0o600))
		}},
		{"a record that is gone", "hatchdog did not create it", func(t *testing.T, _ held) { must(t, os.RemoveAll(record(t))) }},
		{"a lock that is a folder", "network rules", func(t *testing.T, _ held) {
			must(t, os.RemoveAll(dir+"/state/@network"))
			must(t, os.Mkdir(dir+"/state/@network", 0o700))
			t.Cleanup(func() { _ = os.Remove(dir + "/state/@network") })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := createHeld(t, dir, fmt.Sprintf("closed%d", i), "serve=:7000")
			c.break_(t, h)
			log := dir + "/" + h.id + ".log"
			out, code := h.hatchdog(t, "--log", log, "--log-format", "json", "start", h.id)
			said, _ := os.ReadFile(log)
			if code == 0 || !strings.Contains(string(said), c.say) || strings.Count(string(said), "\n") != 1 {
				t.Errorf("exit code %d: %s\nlog: %s", code, out, said)
			}
			state, _ := h.engines(t, pinnedRunc(t), "--root", dir+"/root", "state", h.id)
			if i == 1 && !strings.Contains(state, `"status": "created"`) { // nobody ends what is not ours
				t.Errorf("not as create left it: %s", state)
			}
			if i != 1 && !strings.Contains(state, "does not exist") {
				t.Errorf("it is still there: %s", state)
			}
			h.engines(t, pinnedRunc(t), "--root", dir+"/root", "delete", "--force", h.id)
			_ = os.RemoveAll(dir + "/state")
		})
	}
}

// A kill at any step of start leaves a container that the next start holds.
func TestStartThatIsKilled(t *testing.T) {
	startOutside(t)
	dir := openDir(t)
	policyFile(t, dir, "profile: restricted\n")
	for _, at := range []string{"found", "held"} {
		h := createHeld(t, dir, "killed-"+at, "tcp="+metadataAddr+":80", "tcp="+outsideAddr+":80")
		h.wire(t, "hd"+at, "10.218.0", "fd00:218")
		if _, code := h.engines(t, "env", "HATCHDOG_FAULT="+at+"=kill", tested.faulty, "--root", dir+"/root", "start", h.id); code == 0 {
			t.Fatalf("%s: it was not killed", at)
		}
		if out, code := h.hatchdog(t, "start", h.id); code != 0 {
			t.Fatal(out)
		}
		wantReach(t, h.output(t, 2), map[string]bool{"tcp=" + metadataAddr + ":80": false, "tcp=" + outsideAddr + ":80": true})
		h.hatchdog(t, "delete", "--force", h.id)
		ns, err := netns()
		must(t, err)
		run(t, "nsenter", "--net="+ns, "ip", "link", "delete", "hd"+at)
		time.Sleep(50 * time.Millisecond)
	}
}
